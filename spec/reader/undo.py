"""apply.md: undo files."""
import hashlib
from typing import NamedTuple

from reader.basics import Fields, check_keys, check_version, id_from_text, is_text, read_canonical, require
from reader.objects import check_path
from reader.xxh3 import xxh3

LARGEST_RANGE = 1 << 24


class Patch(NamedTuple):
    offset: int
    size: int
    new_check: int
    runs: list  # (offset in the range, size)
    old: bytes

    def restore(self, content, check=True):
        """The bytes before, of a bytearray with the bytes after."""
        places = [slice(self.offset + at, self.offset + at + size) for at, size in self.runs]
        require(not check or xxh3(b"".join(bytes(content[place]) for place in places)) == self.new_check, "a patch does not find its new bytes")
        taken = 0
        for place, (_, size) in zip(places, self.runs):
            content[place] = self.old[taken:taken + size]
            taken += size


class OldFile:
    def __init__(self, now):
        self.now, self.parts, self.patches = now, [], []

    def content(self, path, read):
        """As it was: `read` gives the new files by path."""
        if self.now:
            content = bytearray(read(self.now))
        else:
            content = bytearray()
            for source, offset, size in self.parts:
                content += source if isinstance(source, bytes) else read(source)[offset:offset + size]
        for patch in self.patches:
            require(patch.offset + patch.size <= len(content), f"{path}: a patch lies outside")
            patch.restore(content)
        return bytes(content)


def read_varint(fields):
    value, shift = 0, 0
    while True:
        byte = fields.u8()
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            require(byte != 0 or shift == 7, "a number is not in its fewest bytes")
            return value
        require(shift < 35, "a number is too long")


def read_patch(fields, offset, size):
    require(size <= LARGEST_RANGE, "a range is too long")
    old_check, new_check, runs_size, old_size = fields.u64(), fields.u64(), fields.u32(), fields.u32()
    table, old = Fields(fields.take(runs_size)), fields.take(old_size)
    require(xxh3(old) == old_check, "old bytes with another check")
    runs, at = [], 0
    while table.at < len(table.data):
        gap, length = read_varint(table), read_varint(table)
        require(length > 0 and (gap > 0 or not runs) and at + gap + length <= size, "a run out of its range")
        runs.append((at + gap, length))
        at += gap + length
    require(runs and sum(length for _, length in runs) == old_size, "runs of another size")
    return Patch(offset, size, new_check, runs, bytes(old))


def read_undo(content):
    """The head, and {old path: OldFile}."""
    require(len(content) >= 32 and hashlib.sha256(content[:-32]).digest() == content[-32:], "the digest of the undo file is wrong")
    fields = Fields(content[:-32])
    fields.expect(b"DSTOREUN", "magic of an undo file")
    fields.version(4)
    head = read_canonical(fields.take(fields.u32()))
    check_keys(head, ("commit", "files", "record", "v"))
    check_version(head)
    id_from_text(head["commit"], "the commit of an undo file")
    files = {}
    for path, now in sorted(head["files"].items(), key=lambda row: row[0].encode()):
        check_path(path)
        require(is_text(now), "a new path is not text")
        if now:
            check_path(now)
        files[path] = OldFile(now)
    order = list(files.values())
    while fields.at < len(fields.data):
        kind, number, offset, size = fields.u8(), fields.u32(), fields.u64(), fields.u64()
        require(number < len(order) and size > 0, "a block of no file, or empty")
        file = order[number]
        if kind == 1:
            end = file.patches[-1].offset + file.patches[-1].size if file.patches else 0
            require(offset >= end, "patches that overlap")
            file.patches.append(read_patch(fields, offset, size))
            continue
        require(kind in (2, 3) and not file.now and offset == sum(part[2] for part in file.parts), "a part that is not in place")
        if kind == 2:
            file.parts.append((bytes(fields.take(size)), 0, size))
        else:
            begin, path = fields.u64(), str(fields.take(fields.u32()), "utf-8")
            check_path(path)
            file.parts.append((path, begin, size))
    return head, files
