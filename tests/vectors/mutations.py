"""The invalid vectors: a valid one and a change after which readers MUST reject it, or cannot know it."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spec"))
from reader.xxh3 import xxh3  # noqa: E402

HEADER, PIECE, BLOCK = 12, 24, 24
DRIFT_UNIT = {10: 2, 11: 2, 12: 4, 13: 8, 14: 4}  # bytes of a shift, by dtype


def seal(body):
    """The segment of these bytes: their check behind them."""
    return bytes(body) + struct.pack("<Q", xxh3(bytes(body)))


class Layout:
    """Where the fields of a segment's first piece and its first block are. It has one block size."""

    def __init__(self, content):
        self.piece = HEADER
        self.tables = content[self.piece + 6]
        self.model = at = self.piece + PIECE
        if self.tables:
            at += 6
            for _ in range(self.tables):
                at += 2 + (content[at + 1] + 1) // 2
        self.drift = at
        if content[self.piece + 7]:
            at += DRIFT_UNIT[content[self.piece + 4]] << content[self.piece + 7]
        self.sizes = at
        self.block = at + 4
        self.body = self.block + BLOCK
        self.piece_end = self.piece + struct.unpack_from("<I", content, self.piece)[0]
        self.end = len(content) - 8


def put(field, offset, form, value):
    """Sets a field of `form` at `offset` from the start of what `field` names."""
    def change(content):
        body = bytearray(content[:-8])
        struct.pack_into("<" + form, body, getattr(Layout(content), field) + offset, value)
        return seal(body)
    return change


def put_at(offset, form, value):
    def change(content):
        body = bytearray(content[:-8])
        struct.pack_into("<" + form, body, offset, value)
        return seal(body)
    return change


def resize(end, extra):
    """Bytes more (or a number of them fewer) at the end of the first block or of the segment; sizes stay true."""
    def change(content):
        layout, body = Layout(content), bytearray(content[:-8])
        at = layout.piece_end if end == "block" else layout.end
        if isinstance(extra, int):
            del body[at - extra:at]
        else:
            body[at:at] = extra
        grown = len(body) - layout.end
        if end == "block":
            for field in (layout.piece, layout.sizes):
                struct.pack_into("<I", body, field, struct.unpack_from("<I", body, field)[0] + grown)
        return seal(body)
    return change


def flip(field, offset, mask):
    """XOR of a byte."""
    def change(content):
        body = bytearray(content[:-8])
        body[(getattr(Layout(content), field) if field else 0) + offset] ^= mask
        return seal(body)
    return change


def unsealed(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def cut(content):
    return content[:-9]


# Name, valid vector, change, verdict. "block" is a block's header, "body" its positions and values, "model" the context model.
MUTATIONS = [
    ("magic", "positions-bitmap", flip("", 0, 1), "corrupt"),
    ("version-newer", "positions-bitmap", put_at(4, "H", 4), "unsupported"),
    ("version-3-without-drift", "positions-bitmap", put_at(4, "H", 3), "corrupt"),
    ("version-2-with-drift", "values-drift", put_at(4, "H", 2), "corrupt"),
    ("drift-9", "values-drift-f64", put("piece", 7, "B", 9), "corrupt"),
    ("drift-more-than-mantissa", "values-drift-bf16", put("piece", 7, "B", 8), "corrupt"),
    ("drift-shorter", "values-drift", put("piece", 7, "B", 5), "corrupt"),
    ("drift-shift-other", "values-drift", flip("drift", 5, 1), "corrupt"),
    ("drift-cut", "values-drift", resize("segment", 900), "corrupt"),
    ("version-older", "positions-bitmap", put_at(4, "H", 1), "unsupported"),
    ("check", "positions-bitmap", unsealed, "corrupt"),
    ("cut", "positions-bitmap", cut, "corrupt"),
    ("empty", "positions-bitmap", lambda content: b"", "corrupt"),
    ("header-alone", "positions-bitmap", lambda content: seal(content[:8] + bytes(4)), "corrupt"),
    ("pieces-too-many", "positions-bitmap", put_at(8, "I", 2), "corrupt"),
    ("pieces-huge", "positions-bitmap", put_at(8, "I", 2**32 - 1), "corrupt"),
    ("pieces-too-few", "pieces-of-two-tensors", put_at(8, "I", 1), "corrupt"),
    ("byte-behind-pieces", "positions-bitmap", resize("segment", b"\0"), "corrupt"),
    ("piece-size-zero", "positions-bitmap", put("piece", 0, "I", 0), "corrupt"),
    ("piece-size-huge", "positions-bitmap", put("piece", 0, "I", 2**32 - 1), "corrupt"),
    ("dtype-unknown", "positions-bitmap", put("piece", 4, "B", 23), "unsupported"),
    ("dtype-zero", "positions-bitmap", put("piece", 4, "B", 0), "unsupported"),
    ("block-log2-small", "positions-bitmap", put("piece", 5, "B", 15), "corrupt"),
    ("block-log2-large", "positions-bitmap", put("piece", 5, "B", 25), "corrupt"),
    ("block-over-16-mib", "positions-bitmap", put("piece", 5, "B", 24), "corrupt"),
    ("tables-too-many", "values-context", put("piece", 6, "B", 13), "corrupt"),
    ("piece-reserved", "positions-bitmap", put("piece", 7, "B", 1), "corrupt"),
    ("first-off-grid", "positions-bitmap", put("piece", 8, "Q", 1), "corrupt"),
    ("first-too-large", "positions-bitmap", put("piece", 8, "Q", 2**61 - 2**23), "corrupt"),
    ("count-zero", "positions-bitmap", put("piece", 16, "I", 0), "corrupt"),
    ("count-too-large", "positions-bitmap", put("piece", 16, "I", 2**23 + 1), "corrupt"),
    ("piece-changed-zero", "positions-bitmap", put("piece", 20, "I", 0), "corrupt"),
    ("piece-changed-other", "positions-bitmap", put("piece", 20, "I", 79), "corrupt"),
    ("piece-changed-too-many", "positions-bitmap", put("piece", 20, "I", 201), "corrupt"),
    ("block-size-short", "positions-bitmap", put("sizes", 0, "I", 23), "corrupt"),
    ("block-size-long", "positions-bitmap", put("sizes", 0, "I", 2**31), "corrupt"),
    ("model-top", "values-context", put("model", 0, "H", 256), "corrupt"),
    ("model-starts-without-first", "values-context", flip("model", 2, 1), "corrupt"),
    ("model-starts-count", "values-context", flip("model", 5, 0x80), "corrupt"),
    ("model-token-too-high", "values-context", put("model", 6, "B", 28), "corrupt"),
    ("model-table-empty", "values-context", put("model", 7, "B", 0), "corrupt"),
    ("model-length-11", "values-context", put("model", 8, "B", 0xbb), "corrupt"),
    ("model-incomplete", "values-context", put("model", 8, "B", 0xaa), "corrupt"),
    ("model-first-length-zero", "values-context", put("model", 8, "B", 0x10), "corrupt"),
    ("positions-code-0", "positions-bitmap", put("block", 0, "B", 0), "corrupt"),
    ("positions-code-6", "positions-bitmap", put("block", 0, "B", 6), "corrupt"),
    ("rice-of-a-bitmap", "positions-bitmap", put("block", 0, "B", 3 | 1 << 3), "corrupt"),
    ("rice-21", "positions-rice", put("block", 0, "B", 2 | 21 << 3), "corrupt"),
    ("groups-log2-3", "positions-rice-some-groups", put("block", 1, "B", 3), "corrupt"),
    ("groups-log2-13", "positions-rice-some-groups", put("block", 1, "B", 13), "corrupt"),
    ("groups-coded-none", "positions-bitmap", put("block", 1, "B", 128), "corrupt"),
    ("coder-0", "positions-bitmap", put("block", 2, "B", 0), "corrupt"),
    ("coder-7", "positions-bitmap", put("block", 2, "B", 7), "corrupt"),
    ("coder-context-without-model", "positions-bitmap", put("block", 2, "B", 3), "corrupt"),
    ("coder-addend-of-bf16", "positions-bitmap", put("block", 2, "H", 6 | 1 << 8), "corrupt"),
    ("parameter-of-raw", "positions-bitmap", put("block", 3, "B", 1), "corrupt"),
    ("parameter-packed-0", "positions-all", put("block", 3, "B", 0), "corrupt"),
    ("parameter-packed-17", "positions-all", put("block", 3, "B", 17), "corrupt"),
    ("parameter-addend-0", "values-addend-f32-bf16", put("block", 3, "B", 0), "corrupt"),
    ("parameter-addend-3-of-f32", "values-addend-f32-bf16", put("block", 3, "B", 3), "corrupt"),
    ("parameter-addend-4", "values-addend-f64-f32", put("block", 3, "B", 4), "corrupt"),
    ("changed-zero", "positions-bitmap", put("block", 4, "I", 0), "corrupt"),
    ("changed-too-many", "positions-bitmap", put("block", 4, "I", 201), "corrupt"),
    ("old-check", "positions-bitmap", flip("block", 8, 1), "corrupt"),
    ("new-check", "positions-bitmap", flip("block", 16, 1), "corrupt"),
    ("bitmap-other-count", "positions-bitmap", flip("body", 0, 1), "corrupt"),
    ("bitmap-padding", "special-f16", flip("body", 7, 0x80), "corrupt"),
    ("rice-cut", "positions-rice", resize("block", 20), "corrupt"),
    ("groups-bitmap-padding", "positions-rice-some-groups", flip("body", 7, 0x80), "corrupt"),
    ("coded-groups-size", "positions-coded-groups", put("body", 0, "I", 2**32 - 1), "corrupt"),
    ("coded-groups-damaged", "positions-coded-groups", flip("body", 6, 0x10), "corrupt"),
    ("coded-bitmap-size", "values-context-four-streams", put("body", 0, "I", 3), "corrupt"),
    ("short-list-count", "positions-short-list", flip("body", 0, 1), "corrupt"),
    ("short-list-falling", "positions-short-list", put("body", 6, "H", 0), "corrupt"),
    ("short-list-outside", "positions-short-list", put("body", 4 + 2 * 9, "H", 1000), "corrupt"),
    ("short-list-window", "positions-short-list-windows", put("body", 4, "I", 9), "corrupt"),
    ("raw-short", "values-raw", resize("block", 1), "corrupt"),
    ("raw-long", "values-raw", resize("block", b"\0"), "corrupt"),
    ("packed-short", "positions-all", resize("block", 1), "corrupt"),
    ("packed-long", "positions-all", resize("block", b"\0"), "corrupt"),
    ("packed-padding", "positions-all", flip("piece_end", -1, 0x80), "corrupt"),
    ("context-short", "values-context", resize("block", 1), "corrupt"),
    ("context-long", "values-context", resize("block", b"\0"), "corrupt"),
    ("planes-short", "values-planes-fast", resize("block", 1), "corrupt"),
    ("planes-long", "values-planes-fast", resize("block", b"\0"), "corrupt"),
    ("planes-plane-too-large", "values-planes-fast", put("body", 0, "I", 201), "corrupt"),
    ("planes-lz4-damaged", "values-planes-fast", resize("block", 3), "corrupt"),
    ("constant-short", "values-constant", resize("block", 1), "corrupt"),
    ("constant-long", "values-constant", resize("block", b"\0"), "corrupt"),
    ("addend-short", "values-addend-f32-bf16", resize("block", 1), "corrupt"),
    ("addend-long", "values-addend-f32-bf16", resize("block", b"\0"), "corrupt"),
]
