"""segment.md: segments, pieces, blocks and positions, in the order of that page."""
from typing import NamedTuple, Optional

from reader.basics import Corrupt, Fields, Unsupported, require
from reader.byte_code import decode_bytes
from reader.units import UNITS, BitStream, pack_units, unpack_units
from reader.values import ADDEND, ADDENDS, COMPLEX64, CONSTANT, CONTEXT, FLOAT32, FLOAT64, PACKED, PLANES, RAW, Model, parse_drift, parse_model, read_values
from reader.xxh3 import xxh3

MAX_SEGMENT = 17 << 20
PIECE = 1 << 24
MAX_BLOCK = 16 << 20
WINDOW = 1 << 16
ALL, RICE, BITMAP, CODED_BITMAP, SHORT_LIST = 1, 2, 3, 4, 5


# Segment, Piece and Block: everything that can be checked without the base.

class Block(NamedTuple):
    code: int  # of the positions
    rice: int
    group: int  # log2; 0: no groups
    groups_coded: bool
    coder: int
    parameter: int
    changed: int
    old_check: int
    new_check: int
    body: bytes
    units: int


class Piece(NamedTuple):
    dtype: int
    first: int
    count: int
    block_units: int
    model: Optional[Model]
    drift: list  # empty: none
    blocks: list  # None where nothing changed

    def unit(self):
        return UNITS[self.dtype]


def parse_segment(content, checksums=True):
    """Its pieces."""
    require(len(content) <= MAX_SEGMENT, "larger than a segment can be")
    require(len(content) >= 12 + 8, "too short for a segment")
    fields = Fields(content[:-8])
    fields.expect(b"DSEG", "magic")
    version = fields.version(2, known=(2, 3))
    if checksums:
        require(xxh3(content[:-8]) == int.from_bytes(content[-8:], "little"), "wrong check")
    fields.u16()  # encoder
    count = fields.u32()
    require(count >= 1, "no pieces")
    pieces = []
    for _ in range(count):
        size = fields.u32()
        require(size >= 4, "size of a piece")
        pieces.append(parse_piece(fields.take(size - 4), version))
    fields.end()
    require(version == 2 or any(piece.drift for piece in pieces), "version 3 without a drift")
    return pieces


def parse_piece(content, version):
    """`content` is what follows the field `size`."""
    fields = Fields(content)
    dtype, log2, table_count = fields.u8(), fields.u8(), fields.u8()
    if dtype not in UNITS:
        raise Unsupported(f"dtype code {dtype}")
    unit = UNITS[dtype]
    require(16 <= log2 <= 24 and unit.size << log2 <= MAX_BLOCK, "block size out of range")
    require(table_count <= 12, "too many tables")
    drift_log2 = fields.u8()
    require(drift_log2 == 0 or version == 3 and drift_log2 <= min(8, unit.mantissa_bits) and table_count, "drift of a piece")
    first, count, changed = fields.u64(), fields.u32(), fields.u32()
    full = PIECE // unit.size
    require(first % full == 0 and first < 2**61 - full, "first unit of a piece")
    require(1 <= count <= full and 1 <= changed <= count, "units of a piece")
    model = parse_model(fields, table_count, unit) if table_count else None
    drift = parse_drift(fields, drift_log2, unit) if drift_log2 else []
    sizes = [fields.u32() for _ in range(-(-count // (1 << log2)))]
    blocks = []
    for number, size in enumerate(sizes):
        units = min(1 << log2, count - (number << log2))
        blocks.append(parse_block(fields.take(size), units, dtype, model is not None) if size else None)
    fields.end()
    require(sum(block.changed for block in blocks if block) == changed, "the blocks' changes are not those of the piece")
    return Piece(dtype, first, count, 1 << log2, model, drift, blocks)


def parse_block(content, units, dtype, has_model):
    fields = Fields(content)
    positions, groups, coder, parameter = fields.u8(), fields.u8(), fields.u8(), fields.u8()
    code, rice, group, groups_coded = positions & 7, positions >> 3, groups & 127, groups >= 128
    require(ALL <= code <= SHORT_LIST, "code of the positions of a block")
    require(rice <= 20 if code == RICE else rice == 0, "rice of a block")
    require(groups == 0 or 4 <= group <= 12, "groups of a block")
    require(coder in (RAW, PACKED, PLANES, CONSTANT, ADDEND) or coder == CONTEXT and has_model, "coder of a block")
    if coder == PACKED:
        require(1 <= parameter <= UNITS[dtype].bits(), "width of a block")
    elif coder == ADDEND:
        require(parameter in ADDENDS and (dtype == FLOAT64 or dtype in (FLOAT32, COMPLEX64) and parameter != 3), "addends of a block")
    else:
        require(parameter == 0, "parameter of a block")
    changed = fields.u32()
    require(1 <= changed <= units, "changes of a block")
    return Block(code, rice, group, groups_coded, coder, parameter, changed, fields.u64(), fields.u64(), fields.rest(), units)


# Positions.

def read_bitmap(fields, coded, count):
    """The numbers of the bits that are 1."""
    size = (count + 7) // 8
    content = decode_bytes(fields.take(fields.u32()), size) if coded else fields.take(size)
    bits = int.from_bytes(content, "little")
    require(bits >> count == 0, "padding of a bitmap")
    return [8 * at + bit for at, byte in enumerate(content) if byte for bit in range(8) if byte >> bit & 1]


def read_positions(block):
    """The covered units, and the bytes that follow the positions."""
    fields = Fields(block.body)
    selected = range(block.units)
    if block.group:
        size = 1 << block.group
        groups = read_bitmap(fields, block.groups_coded, -(-block.units // size))
        selected = [unit for group in groups for unit in range(group * size, min(block.units, (group + 1) * size))]
    require(len(selected) >= block.changed, "more changes than units")
    if block.code == ALL:
        return selected, fields.rest()
    if block.code == RICE:
        numbers = read_rice(fields, block, len(selected))
    elif block.code == SHORT_LIST:
        numbers = read_short_list(fields, block.changed, len(selected))
    else:
        numbers = read_bitmap(fields, block.code == CODED_BITMAP, len(selected))
        require(len(numbers) == block.changed, "positions of another number")
    return [selected[number] for number in numbers], fields.rest()


def read_short_list(fields, count, limit):
    counts = [fields.u32() for _ in range(-(-limit // WINDOW))]
    require(sum(counts) == count, "counts of the windows")
    numbers = [window * WINDOW + fields.u16() for window, its_count in enumerate(counts) for _ in range(its_count)]
    require(all(a < b for a, b in zip(numbers, numbers[1:])) and numbers[-1] < limit, "numbers that do not increase")
    return numbers


def read_rice(fields, block, limit):
    low_stream = BitStream(fields.take((block.changed * block.rice + 7) // 8))
    lows = [low_stream.take(block.rice) for _ in range(block.changed)]
    low_stream.end("low parts of the positions")
    positions, position, zeros = [], -1, 0
    while len(positions) < block.changed:
        byte = fields.u8()
        for bit in range(8):
            if byte >> bit & 1 == 0:
                zeros += 1
                continue
            require(len(positions) < block.changed, "padding of the positions")
            position += (zeros << block.rice) + lows[len(positions)] + 1
            require(position < limit, "a position outside the block")
            positions.append(position)
            zeros = 0
    return positions


# Block, Decoding.

def apply_block(piece, block, data, at, checksums):
    """Replaces the covered units of `data` (a tensor's bytes) that start at byte `at`."""
    unit = piece.unit()
    positions, rest = read_positions(block)
    before = unpack_units(unit, data[at:at + block.units * unit.size])
    olds = [before[p] for p in positions]
    if checksums and xxh3(pack_units(unit, olds)) != block.old_check:
        raise Corrupt("the base has other values here: a wrong or damaged base")
    news = read_values(piece, block, rest, olds)
    if checksums:
        require(xxh3(pack_units(unit, news)) == block.new_check, "wrong values")
    require(sum(old != new for old, new in zip(olds, news)) == block.changed, "another number of changes")
    for position, new in zip(positions, news):
        before[position] = new
    data[at:at + block.units * unit.size] = pack_units(unit, before)


def apply_piece(piece, data, checksums):
    """`data`: all bytes of the tensor, a bytearray."""
    size = piece.unit().size
    units = len(data) // size
    require(piece.first < units and piece.count == min(PIECE // size, units - piece.first), "a piece that does not fit its tensor")
    for number, block in enumerate(piece.blocks):
        if block:
            apply_block(piece, block, data, (piece.first + number * piece.block_units) * size, checksums)
