"""Packs, built from spec/pack.md alone."""
import hashlib
import struct
from typing import NamedTuple

import code_cases
from mutations import xxh3
from reader.basics import KINDS, object_id

NONE, LZ4, PLANES = 0, 1, 2
CHUNK, TENSOR, FILE, SIGNATURE = 1, 2, 4, 10


class Record(NamedTuple):
    """What a record's header and its row of the trailer say, and the stored bytes."""
    kind: int
    codec: int
    id: bytes
    raw: int
    stored: int
    checksum: int
    content: bytes
    offset: int = 0
    magic: bytes = b"DREC"
    reserved: int = 0

    def header(self):
        return struct.pack("<4s2BH32s3Q", self.magic, self.kind, self.codec, self.reserved, self.id, self.raw, self.stored, self.checksum)

    def row(self):
        return struct.pack("<32s2B6s4Q", self.id, self.kind, self.codec, self.reserved.to_bytes(6, "little"), self.offset, self.raw,
                           self.stored, self.checksum)


def record(kind, content, codec=NONE, stored=None):
    stored = content if stored is None else stored
    return Record(kind, codec, object_id(KINDS[kind], content), len(content), len(stored), xxh3(stored), stored)


def lz4_run(byte, count, last=5):
    """An LZ4 block of `count` equal bytes, more than 34: one literal, a match that repeats it, the last literals."""
    match = count - 1 - last - 4 - 15
    return b"\x1f" + byte + b"\1\0" + b"\xff" * (match // 255) + bytes([match % 255]) + bytes([last << 4]) + byte * last


HELLO, TEXT = record(FILE, b"hello\n"), record(FILE, b"a" * 300, LZ4, lz4_run(b"a", 300))
CODED = record(CHUNK, code_cases.CODED_CHUNK, PLANES, code_cases.CODED)
NUMBERS = record(CHUNK, bytes.fromhex("0000803f000000c0"))


def pack(records, headers=None, rows=None, gaps=None, magic=b"DSTOREPK", version=None, reserved=0, trailer_magic=b"DTRL", trailer_version=None,
         count=None, start=None, order=None, name=None, digest=None):
    """(bytes, name). `headers`, `rows`: {number: {field: value}} that only the record's header, or only its row, says;
    `gaps`: {number: bytes} before that record (n: before the trailer); `order` of the rows."""
    if version is None:
        version = 2 if any(each.codec == PLANES for each in records) else 1
    body, listed, gaps = struct.pack("<8s2I", magic, version, reserved), [], gaps or {}
    for number, each in enumerate(records):
        body += gaps.get(number, b"")
        listed.append(each._replace(**{"offset": len(body), **(rows or {}).get(number, {})}))
        body += each._replace(**(headers or {}).get(number, {})).header() + each.content
    body += gaps.get(len(records), b"")
    count = len(listed) if count is None else count
    trailer = struct.pack("<4sIQ", trailer_magic, version if trailer_version is None else trailer_version, count)
    trailer += b"".join(listed[number].row() for number in order or range(len(listed)))
    trailer += struct.pack("<Q", len(body) if start is None else start)
    sealed = hashlib.sha256(trailer).digest()
    return body + trailer + (digest or sealed), (name or sealed).hex()


def both(number, *records, **fields):
    """A pack whose record says something else in its header and its row."""
    changed = [each._replace(**fields) if i == number else each for i, each in enumerate(records)]
    return pack(changed)


def listed(records):
    return [{"kind": KINDS[each.kind], "id": each.id.hex(), "bytes": each.raw, "codec": each.codec} for each in records]


def every_kind():
    return [record(code, b"\1" * 40 if code == SIGNATURE else name.encode()) for code, name in KINDS.items()]


VALID = {
    "pack-example": [HELLO],
    "pack-every-kind": every_kind(),
    "pack-lz4": [HELLO, TEXT, record(TENSOR, b"b" * 1000, LZ4, lz4_run(b"b", 1000))],
    "pack-lz4-long-match": [record(FILE, bytes(10 + 5 * 255 + 4), LZ4, lz4_run(b"\0", 10 + 5 * 255 + 4))],
    "pack-planes": [NUMBERS, CODED],
    "pack-every-codec": [CODED, TEXT, HELLO],
    "pack-empty-object": [record(FILE, b"")],
    "pack-one-content-two-kinds": [record(CHUNK, b"hello\n"), HELLO],
}


def content_of(each, content):
    """The record with other stored bytes, whose checksum fits."""
    return each._replace(content=content, stored=len(content), checksum=xxh3(content))


def cut(pack_and_name, size):
    return pack_and_name[0][:size], pack_and_name[1]


ID = bytes(range(32))
TWO = [HELLO, TEXT]
PLAIN_SIZE = len(pack([HELLO])[0])
LZ4_BLOCK = TEXT.content
INVALID = {
    # The file's header.
    "pack-magic": pack([HELLO], magic=b"DSTOREPX"),
    "pack-reserved": pack([HELLO], reserved=1),
    "pack-version-2-without-planes": pack([HELLO], version=2),
    "pack-version-1-with-planes": pack([CODED], version=1),
    # The trailer.
    "pack-empty": (b"", "00" * 31 + "01"),
    "pack-header-alone": cut(pack([HELLO]), 16),
    "pack-cut": cut(pack([HELLO]), PLAIN_SIZE - 1),
    "pack-without-records": pack([], count=0),
    "pack-other-name": pack([HELLO], name=ID),
    "pack-other-digest": pack([HELLO], digest=ID),
    "pack-trailer-magic": pack([HELLO], trailer_magic=b"DTRX"),
    "pack-trailer-version": pack([HELLO], trailer_version=2),
    "pack-trailer-version-unknown": pack([HELLO], trailer_version=3),
    "pack-count-0": pack([HELLO], count=0),
    "pack-count-more": pack([HELLO], count=2),
    "pack-count-fewer": pack(TWO, count=1),
    "pack-count-huge": pack([HELLO], count=2**61 + 1),
    "pack-trailer-in-header": pack([HELLO], start=8),
    "pack-trailer-late": pack([HELLO], start=PLAIN_SIZE - 127),
    "pack-trailer-beyond-end": pack([HELLO], start=2**63),
    "pack-trailer-elsewhere": pack([HELLO], start=85),
    "pack-byte-behind-trailer": (pack([HELLO])[0] + b"\0", pack([HELLO])[1]),
    "pack-first-record-late": pack([HELLO], gaps={0: b"\0"}),
    "pack-gap": pack(TWO, gaps={1: b"\0"}),
    "pack-gap-before-trailer": pack([HELLO], gaps={1: b"\0"}),
    "pack-overlap": pack(TWO, rows={1: {"offset": 16 + 64 + 5}}),
    "pack-offset-huge": pack(TWO, rows={1: {"offset": 2**64 - 64}}),
    "pack-record-into-trailer": pack([HELLO._replace(raw=7, stored=7)]),
    "pack-rows-in-other-order": pack(TWO, order=[1, 0]),
    "pack-id-twice": pack([HELLO, HELLO]),
    "pack-id-twice-apart": pack([HELLO, NUMBERS, HELLO]),
    # A row, and its record alike.
    "pack-kind-0": both(0, HELLO, kind=0),
    "pack-kind-11": both(0, HELLO, kind=11),
    "pack-codec-3": both(0, HELLO, codec=3),
    "pack-no-id": both(0, HELLO, id=bytes(32)),
    "pack-row-reserved": pack([HELLO], rows={0: {"reserved": 1}}),
    "pack-row-reserved-last": pack([HELLO], rows={0: {"reserved": 1 << 40}}),
    "pack-none-shorter": both(0, HELLO, raw=7),
    "pack-none-longer": both(0, HELLO, raw=5),
    "pack-raw-too-large": both(0, TEXT, raw=2**30 + 1),
    "pack-sizes-beyond-64-bits": both(0, HELLO, raw=2**64 - 1, stored=2**64 - 1),
    "pack-lz4-saves-nothing": pack([record(FILE, b"hello\n", LZ4, b"\x50hello")]),
    "pack-lz4-empty": pack([content_of(TEXT, b"")]),
    "pack-lz4-above-255": both(0, TEXT, raw=255 * len(LZ4_BLOCK) + 1),
    "pack-planes-of-a-file": pack([record(FILE, code_cases.CODED_CHUNK, PLANES, code_cases.CODED)]),
    "pack-planes-save-nothing": pack([record(CHUNK, code_cases.EXAMPLE, PLANES, code_cases.planes(code_cases.EXAMPLE, 2, 1))]),
    "pack-planes-empty": pack([content_of(CODED, b"")]),
    "pack-planes-too-large": both(0, CODED, raw=2**22 + 1),
    # A record, under a right trailer.
    "pack-record-magic": pack([HELLO], headers={0: {"magic": b"DREX"}}),
    "pack-record-reserved": pack([HELLO], headers={0: {"reserved": 1}}),
    "pack-record-other-kind": pack([HELLO], headers={0: {"kind": CHUNK}}),
    "pack-record-other-codec": pack([TEXT], headers={0: {"codec": NONE}}),
    "pack-record-other-id": pack([HELLO], headers={0: {"id": ID}}),
    "pack-record-other-raw-size": pack([TEXT], headers={0: {"raw": 299}}),
    "pack-record-other-stored-size": pack([TEXT], headers={0: {"stored": len(LZ4_BLOCK) - 1}}),
    "pack-record-other-checksum": pack([HELLO], headers={0: {"checksum": 1}}),
    "pack-second-record-damaged": pack(TWO, headers={1: {"raw": 299}}),
    "pack-checksum": both(0, HELLO, checksum=1),
    "pack-stored-bytes": both(0, HELLO, content=b"hellO\n"),
    "pack-other-content": pack([content_of(HELLO, b"hellO\n")]),
    "pack-id-of-other-kind": both(0, HELLO, id=object_id("chunk", b"hello\n")),
    "pack-lz4-fewer": both(0, TEXT, raw=301),
    "pack-lz4-more": both(0, TEXT, raw=299),
    "pack-lz4-byte-left-over": pack([content_of(TEXT, LZ4_BLOCK + b"\0")]),
    "pack-lz4-cut": pack([content_of(TEXT, LZ4_BLOCK[:-1])]),
    "pack-lz4-before-start": pack([content_of(TEXT, LZ4_BLOCK.replace(b"\1\0", b"\2\0", 1))]),
    "pack-planes-damaged": pack([content_of(CODED, code_cases.CODED[:-1])]),
    "pack-planes-of-other-size": both(0, CODED, raw=CODED.raw + 2),
}
UNSUPPORTED = {"pack-version-0": pack([HELLO], version=0), "pack-version-3": pack([HELLO], version=3)}
