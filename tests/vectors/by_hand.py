"""Vectors that libdiffstore never writes, though readers MUST take them, or MUST reject them: built from spec/segment.md alone."""
import struct

from mutations import seal, xxh3

BITMAP, SHORT_LIST, RAW, ADDEND = 3, 5, 1, 6
U8, U16, F32 = 2, 4, 12


def bitmap(bits, count):
    return sum(1 << bit for bit in bits).to_bytes((count + 7) // 8, "little")


def block(positions, groups, coder, parameter, changed, old, new, body):
    return struct.pack("<4BI2Q", positions, groups, coder, parameter, changed, xxh3(old), xxh3(new)) + body


def segment(dtype, log2, count, changed, blocks):
    piece = struct.pack("<4BQ2I", dtype, log2, 0, 0, 0, count, changed)
    piece += struct.pack(f"<{len(blocks)}I", *map(len, blocks)) + b"".join(blocks)
    return seal(b"DSEG" + struct.pack("<2H2I", 2, 0, 1, len(piece) + 4) + piece)


def changed_bytes(base, places):
    task = bytearray(base)
    for place in places:
        task[place] ^= 0x81
    return bytes(task)


def selected(base, places):
    return bytes(base[place] for place in places)


def bitmap_in_groups():
    """Two groups of 2^4 units, the last one short."""
    base, places = bytes(range(40)), [16, 19, 31, 32, 39]
    task = changed_bytes(base, places)
    body = bitmap([1, 2], 3) + bitmap([place - 16 for place in places], 24) + selected(task, places)
    return base, len(base), task, segment(U8, 16, 40, 5, [block(BITMAP, 4, RAW, 0, 5, selected(base, places), selected(task, places), body)])


def short_list_in_groups():
    base, places = bytes(range(200)), [130, 150, 191]
    task = changed_bytes(base, places)
    body = bitmap([2], 4) + struct.pack("<I3H", 3, *(place - 128 for place in places)) + selected(task, places)
    return base, len(base), task, segment(U8, 16, 200, 3, [block(SHORT_LIST, 6, RAW, 0, 3, selected(base, places), selected(task, places), body)])


def small_blocks():
    """Four blocks of 2^16 units; nothing changed in the second one, and the last has one unit."""
    count, places = 3 * 65536 + 1, [0, 65535, 2 * 65536, 3 * 65536]
    pattern = bytes(range(64))
    base = (pattern * (count // 64 + 1))[:count]
    task = changed_bytes(base, places)
    blocks = []
    for number in range(4):
        own = [place for place in places if place >> 16 == number]
        body = struct.pack(f"<I{len(own)}H", len(own), *(place & 0xffff for place in own)) + selected(task, own)
        blocks.append(block(SHORT_LIST, 0, RAW, 0, len(own), selected(base, own), selected(task, own), body) if own else b"")
    return pattern, count, task, segment(U8, 16, count, 4, blocks)


def infinity_by_addend():
    """The largest finite f32 and one of its own size: the sum rounds to infinity, which is a number."""
    base, task = struct.pack("<2I", 0x7f7fffff, 0x80000000), struct.pack("<2I", 0x7f800000, 0x3f800000)
    body = struct.pack("<2I", 2, 2) + bytes([0x7f, 0x80, 0x7f, 0x3f])  # bf16 7f7f, 3f80 in planes
    return base, 8, task, segment(F32, 16, 2, 2, [block(1, 0, ADDEND, 1, 2, base, task, body)])


def not_a_number_by_addend():
    """Infinity less infinity; the new check is that of the NaN that x86 gives."""
    base, task = struct.pack("<I", 0x7f800000), struct.pack("<I", 0xffc00000)
    return base, 4, None, segment(F32, 16, 1, 1, [block(1, 0, ADDEND, 1, 1, base, task, struct.pack("<2I", 1, 1) + b"\x80\xff")])


def unchanged_unit_counted():
    """The bitmap has two units, both checks fit, but one of them keeps its value."""
    base, task = bytes(8), bytes([0, 1, 0, 0, 0, 0, 0, 0])
    return base, 8, None, segment(U8, 16, 8, 2, [block(BITMAP, 0, RAW, 0, 2, b"\0\0", b"\1\0", bytes([0b110, 1, 0]))])


def fewer_covered_than_changed():
    """A group of 16 units is covered, of which 17 are said to have changed."""
    base = bytes(40)
    return base, 40, None, segment(U8, 16, 40, 17, [block(1, 4, RAW, 0, 17, bytes(16), bytes([1] * 16), bitmap([1], 3) + bytes([1] * 16))])


def plane_stored_larger():
    """A compressed plane must be smaller than its bytes."""
    base, new = bytes(2), b"\1\1"
    return base, 2, None, segment(U16, 16, 1, 1, [block(1, 0, 4, 0, 1, base, new, struct.pack("<2I", 2, 0) + b"\x10\x02")])


VALID = {"by-hand-bitmap-in-groups": bitmap_in_groups, "by-hand-short-list-in-groups": short_list_in_groups,
         "by-hand-small-blocks": small_blocks, "by-hand-infinity-by-addend": infinity_by_addend}
INVALID = {"by-hand-nan-by-addend": not_a_number_by_addend, "by-hand-unchanged-unit": unchanged_unit_counted,
           "by-hand-few-covered": fewer_covered_than_changed, "by-hand-plane-too-large": plane_stored_larger}
