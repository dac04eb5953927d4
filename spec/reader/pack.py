"""pack.md: packs, and a store of objects made of all packs of a folder."""
import hashlib
import mmap
import re
from typing import NamedTuple

from reader.basics import KINDS, Corrupt, Fields, NotFound, Problem, list_folder, object_id, open_file, require
from reader.lz4 import decode_block
from reader.planes import decode_planes
from reader.xxh3 import xxh3

FILE_HEADER = b"DSTOREPK"
FILE_HEADER_SIZE = 16
RECORD_HEADER_SIZE = 64
ROW_SIZE = 72
MAX_OBJECT = 2**30
MAX_PACK = 2**31
MAX_ROWS = 2**20
SMALLEST_PACK = FILE_HEADER_SIZE + RECORD_HEADER_SIZE + 16 + ROW_SIZE + 40
CODEC_NONE, CODEC_LZ4, CODEC_PLANES = 0, 1, 2
MAX_PLANES = 2**22


class Row(NamedTuple):
    """What the trailer says of a record."""
    id: bytes
    kind: int
    codec: int
    offset: int
    raw: int
    stored: int
    checksum: int

    def end(self):
        return self.offset + RECORD_HEADER_SIZE + self.stored


class Pack:
    """An open pack whose header and trailer are as they must be; its records are checked when they are read."""

    def __init__(self, path):
        self.name = path.name[:-len(".pack")]
        with open_file(path) as file:
            size = file.seek(0, 2)
            require(SMALLEST_PACK <= size <= MAX_PACK, f"{size} bytes are too few or too many for a pack")
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head = Fields(self.data[:FILE_HEADER_SIZE])
        head.expect(FILE_HEADER, "magic")
        self.version = head.version(4, known=(1, 2))
        head.expect(bytes(4), "reserved field")
        self.rows = self.read_trailer()

    def read_trailer(self):
        """pack.md, Trailer."""
        size = len(self.data)
        start = int.from_bytes(self.data[size - 40:size - 32], "little")
        require(FILE_HEADER_SIZE <= start <= size - (16 + ROW_SIZE + 40), "the trailer's offset is out of range")
        trailer = Fields(self.data[start:])
        digest = hashlib.sha256(trailer.data[:-32]).digest()
        require(digest.hex() == self.name, "the trailer's digest is not the pack's name")
        require(digest == trailer.data[-32:], "the digest is not that of the trailer")
        trailer.expect(b"DTRL", "magic of the trailer")
        require(trailer.u32() == self.version, "versions of header and trailer differ")
        count = trailer.u64()
        require(1 <= count <= MAX_ROWS and len(trailer.data) == 16 + ROW_SIZE * count + 40, "count and size of the trailer contradict")
        rows, at = [], FILE_HEADER_SIZE
        for _ in range(count):
            row = self.read_row(trailer)
            require(row.offset == at, "records with a gap")
            at = row.end()
            rows.append(row)
        require(at == start, "the last record does not end where the trailer starts")
        require(self.version == (2 if any(row.codec == CODEC_PLANES for row in rows) else 1), "the version does not fit the codecs")
        require(len({row.id for row in rows}) == count, "an id is listed twice")
        return rows

    def read_row(self, trailer):
        id, kind, codec = trailer.id(), trailer.u8(), trailer.u8()
        trailer.expect(bytes(6), "reserved field")
        row = Row(id, kind, codec, trailer.u64(), trailer.u64(), trailer.u64(), trailer.u64())
        check_sizes(row)
        return row

    def read(self, row, checksums):
        """pack.md, Reading an object."""
        head = Fields(self.data[row.offset:row.offset + RECORD_HEADER_SIZE])
        head.expect(b"DREC", "magic of a record")
        kind, codec = head.u8(), head.u8()
        head.expect(bytes(2), "reserved field of a record")
        told = Row(head.id(), kind, codec, row.offset, head.u64(), head.u64(), head.u64())
        require(told == row, "the record's header is not what the trailer says")
        stored = self.data[row.offset + RECORD_HEADER_SIZE:row.end()]
        if checksums:
            require(xxh3(stored) == row.checksum, "wrong checksum")
        content = decode(row, stored)
        require(object_id(KINDS[row.kind], content) == row.id, "the bytes do not have the id")
        return content


def decode(row, stored):
    if row.codec == CODEC_NONE:
        return stored
    return decode_planes(stored, row.raw) if row.codec == CODEC_PLANES else decode_block(stored, row.raw)


def check_sizes(row):
    require(row.kind in KINDS, f"unknown kind {row.kind}")
    require(row.codec in (CODEC_NONE, CODEC_LZ4, CODEC_PLANES), f"unknown codec {row.codec}")
    require(row.raw <= MAX_OBJECT, "an object is too large")
    if row.codec == CODEC_NONE:
        require(row.stored == row.raw, "sizes of a record that is stored as it is")
    elif row.codec == CODEC_PLANES:
        require(KINDS[row.kind] == "chunk" and 0 < row.stored < row.raw <= MAX_PLANES, "kind or sizes of a record of planes")
    else:
        require(0 < row.stored < row.raw <= 255 * row.stored, "sizes of an LZ4 record")


class Store:
    """All objects of `packs/`, and chunks of linked files. An object may be in several packs: a damaged copy is passed over for another one."""

    def __init__(self, folder, checksums=True, links=None):
        self.checksums = checksums
        self.links = links
        self.packs, self.problems, self.places = [], links.problems if links else [], {}
        for name in list_folder(folder):
            if not re.fullmatch(r"[0-9a-f]{64}\.pack", name):
                continue
            try:
                pack = Pack(folder / name)
            except Problem as error:
                self.problems.append(f"pack {name}: {error}")
                continue
            self.packs.append(pack)
            for row in pack.rows:
                self.places.setdefault(row.id, []).append((pack, row))

    def kind(self, id):
        """The name of an object's kind; None if it is not there."""
        if id in self.places:
            return KINDS[self.places[id][0][1].kind]
        return "chunk" if self.links and self.links.has(id) else None

    def ids(self, kind):
        return sorted(id for id in self.places if self.kind(id) == kind)

    def size(self, id):
        return self.places[id][0][1].raw if id in self.places else self.links.size(id)

    def read(self, kind, id):
        if id not in self.places and kind == "chunk" and self.links and self.links.has(id):
            return self.links.read(id)
        if id not in self.places:
            raise NotFound(f"{kind} {id.hex()} is not in the store")
        require(self.kind(id) == kind, f"{id.hex()} is a {self.kind(id)}, not a {kind}")
        problem = None
        for pack, row in self.places[id]:
            try:
                return pack.read(row, self.checksums)
            except Problem as error:
                problem = error
        raise Corrupt(f"{kind} {id.hex()}: {problem}")
