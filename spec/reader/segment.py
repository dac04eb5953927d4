"""segment.md: segments, in the order of that page."""
import math
import struct
from typing import NamedTuple, Optional

from reader.basics import Corrupt, Fields, Unsupported, require
from reader.byte_code import decode_bytes
from reader.lz4 import decode_block
from reader.xxh3 import xxh3

MAX_SEGMENT = 17 << 20
PIECE = 1 << 24
MAX_BLOCK = 16 << 20
WINDOW = 1 << 16
ALL, RICE, BITMAP, CODED_BITMAP, SHORT_LIST = 1, 2, 3, 4, 5
RAW, PACKED, CONTEXT, PLANES, CONSTANT, ADDEND = 1, 2, 3, 4, 5, 6
FLOAT32, FLOAT64, COMPLEX64 = 12, 13, 14


# Units.

class Unit(NamedTuple):
    size: int
    exponent_bits: int = 0
    mantissa_bits: int = 0

    def bits(self):
        return 8 * self.size

    def format(self):
        return {1: "B", 2: "H", 4: "I", 8: "Q"}[self.size]


UNITS = {code: Unit(1) for code in (1, 2, 3, *range(15, 23))}
UNITS.update({4: Unit(2), 5: Unit(2), 6: Unit(4), 7: Unit(4), 8: Unit(8), 9: Unit(8), 10: Unit(2, 5, 10), 11: Unit(2, 8, 7),
              12: Unit(4, 8, 23), 13: Unit(8, 11, 52), 14: Unit(4, 8, 23)})


def unpack_units(unit, data):
    return list(struct.unpack(f"<{len(data) // unit.size}{unit.format()}", data))


def pack_units(unit, values):
    return struct.pack(f"<{len(values)}{unit.format()}", *values)


# Conventions: bit streams, each byte from its least significant bit on.

class BitStream:
    def __init__(self, data):
        self.data, self.at, self.held, self.bits = data, 0, 0, 0

    def peek(self, count):
        """The next `count` bits; zeros beyond the end."""
        while self.bits < count:
            part = self.data[self.at:self.at + 8]
            self.held |= int.from_bytes(part, "little") << self.bits
            self.at += 8
            self.bits += 64
        return self.held & ((1 << count) - 1)

    def skip(self, count):
        self.held >>= count
        self.bits -= count

    def take(self, count):
        value = self.peek(count)
        self.skip(count)
        return value

    def used(self):
        return 8 * self.at - self.bits

    def end(self, what):
        """All bits taken were there; less than a byte is left, and it is zero."""
        left = 8 * len(self.data) - self.used()
        require(0 <= left < 8 and self.peek(left) == 0, f"{what} end early, late or with wrong padding")


# Context model.

class Code:
    """One canonical Huffman code: for each next 10 bits of a stream the token, and how many bits it takes."""
    LOOKUP_BITS = 10

    def __init__(self, first, lengths):
        if len(lengths) == 1:
            require(lengths[0] == 0, "the only token of a table has a length")
            self.lookup = [(first, 0)] * 2**self.LOOKUP_BITS
            return
        require(all(length <= 10 for length in lengths), "a code longer than 10 bits")
        require(lengths[0] and lengths[-1], "a table that begins or ends with a token without a code")
        require(sum(2**(10 - length) for length in lengths if length) == 2**10, "code lengths that do not fit")
        self.lookup = [None] * 2**self.LOOKUP_BITS
        code = 0
        for length in range(1, 11):
            code <<= 1
            for token, its_length in enumerate(lengths, first):
                if its_length == length:
                    self.place(code, length, token)
                    code += 1

    def place(self, code, length, token):
        """A code's most significant bit comes first in the stream, so it is looked up reversed."""
        reverse = int(f"{code:0{length}b}"[::-1], 2)
        for high in range(2**(self.LOOKUP_BITS - length)):
            self.lookup[high << length | reverse] = (token, length)


class Model(NamedTuple):
    top: int
    tables: list  # the table of each class

    def table_of(self, exponent):
        return self.tables[min(31, max(0, self.top - exponent))]


def parse_model(fields, count, unit):
    top, starts = fields.u16(), fields.u32()
    require(top < 2**unit.exponent_bits, "top of the context model")
    require(starts & 1 and bin(starts).count("1") == count, "starts of the context model")
    tables = []
    for _ in range(count):
        first, n = fields.u8(), fields.u8()
        require(1 <= n <= 12 + unit.bits() - first, "tokens of a table")
        packed = fields.take((n + 1) // 2)
        lengths = [packed[i // 2] >> 4 * (i % 2) & 15 for i in range(n)]
        require(n % 2 == 0 or packed[-1] >> 4 == 0, "padding of a table")
        tables.append(Code(first, lengths))
    return Model(top, [tables[bin(starts >> 1 & (2**c - 1)).count("1")] for c in range(32)])


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
    blocks: list  # None where nothing changed

    def unit(self):
        return UNITS[self.dtype]


def parse_segment(content, checksums=True):
    """Its pieces."""
    require(len(content) <= MAX_SEGMENT, "larger than a segment can be")
    require(len(content) >= 12 + 8, "too short for a segment")
    fields = Fields(content[:-8])
    fields.expect(b"DSEG", "magic")
    fields.version(2, known=(2,))
    if checksums:
        require(xxh3(content[:-8]) == int.from_bytes(content[-8:], "little"), "wrong check")
    fields.u16()  # encoder
    count = fields.u32()
    require(count >= 1, "no pieces")
    pieces = []
    for _ in range(count):
        size = fields.u32()
        require(size >= 4, "size of a piece")
        pieces.append(parse_piece(fields.take(size - 4)))
    fields.end()
    return pieces


def parse_piece(content):
    """`content` is what follows the field `size`."""
    fields = Fields(content)
    dtype, log2, table_count = fields.u8(), fields.u8(), fields.u8()
    if dtype not in UNITS:
        raise Unsupported(f"dtype code {dtype}")
    unit = UNITS[dtype]
    require(16 <= log2 <= 24 and unit.size << log2 <= MAX_BLOCK, "block size out of range")
    require(table_count <= 12, "too many tables")
    fields.expect(b"\0", "reserved field")
    first, count, changed = fields.u64(), fields.u32(), fields.u32()
    full = PIECE // unit.size
    require(first % full == 0 and first < 2**61 - full, "first unit of a piece")
    require(1 <= count <= full and 1 <= changed <= count, "units of a piece")
    model = parse_model(fields, table_count, unit) if table_count else None
    sizes = [fields.u32() for _ in range(-(-count // (1 << log2)))]
    blocks = []
    for number, size in enumerate(sizes):
        units = min(1 << log2, count - (number << log2))
        blocks.append(parse_block(fields.take(size), units, dtype, model is not None) if size else None)
    fields.end()
    require(sum(block.changed for block in blocks if block) == changed, "the blocks' changes are not those of the piece")
    return Piece(dtype, first, count, 1 << log2, model, blocks)


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


# Residuals.

def add_residuals(unit, olds, residuals):
    """ord(new) = ord(old) + unzigzag(residual), mod 2^W."""
    mask, top = 2**unit.bits() - 1, 1 << (unit.bits() - 1)
    steps = [(u >> 1) ^ -(u & 1) for u in residuals]
    if not unit.exponent_bits:
        return [(old + step) & mask for old, step in zip(olds, steps)]
    ordered = [((~old & mask if old & top else old | top) + step) & mask for old, step in zip(olds, steps)]
    return [new ^ top if new & top else ~new & mask for new in ordered]


# Values.

def read_values(piece, block, data, olds):
    unit, count = piece.unit(), len(olds)
    if block.coder == RAW:
        require(len(data) == count * unit.size, "raw values of another size")
        return unpack_units(unit, data)
    if block.coder == CONSTANT:
        require(len(data) == unit.size, "a constant of another size")
        return unpack_units(unit, data) * count
    if block.coder == ADDEND:
        return read_addends(piece.dtype, block, data, olds)
    if block.coder == PACKED:
        stream = BitStream(data)
        residuals = [stream.take(block.parameter) for _ in range(count)]
        stream.end("packed values")
    elif block.coder == PLANES:
        residuals = unpack_units(unit, read_planes(data, unit.size, count, decode_block))
    else:
        residuals = read_context(unit, piece.model, data, olds)
    return add_residuals(unit, olds, residuals)


# Planes.

def read_planes(data, width, count, decompress):
    """`count` values of `width` bytes, in one row."""
    fields = Fields(data)
    sizes = [fields.u32() for _ in range(width)]
    out = bytearray(count * width)
    for b, size in enumerate(sizes):
        require(size <= count, "a plane larger than its bytes")
        content = fields.take(size)
        out[b::width] = bytes(count) if size == 0 else content if size == count else decompress(content, count)
    fields.end()
    return bytes(out)


# Addends: how a format's bits become a float, by parameter.

ADDENDS = {1: ("f", lambda bits: bits << 16, 2), 2: ("e", lambda bits: bits, 2), 3: ("f", lambda bits: bits, 4)}


def read_addends(dtype, block, data, olds):
    letter, place, width = ADDENDS[block.parameter]
    values = unpack_units(Unit(width), read_planes(data, width, len(olds), decode_bytes))
    letter_of_bits = "<H" if letter == "e" else "<I"
    addends = [struct.unpack("<" + letter, struct.pack(letter_of_bits, place(bits)))[0] for bits in values]
    own, own_bits = ("<d", "<Q") if dtype == FLOAT64 else ("<f", "<I")
    news = []
    for old, addend in zip(olds, addends):
        # The sum of two float32 in double, rounded to float32, is their sum in float32.
        total = struct.unpack(own, struct.pack(own_bits, old))[0] + addend
        require(total == total, "a sum that is not a number")
        news.append(struct.unpack(own_bits, pack_float(own, total))[0])
    return news


def pack_float(form, value):
    try:
        return struct.pack(form, value)
    except OverflowError:
        return struct.pack(form, math.copysign(math.inf, value))


def read_context(unit, model, data, olds):
    if len(olds) < 4096:
        return read_tokens(unit, model, data, olds)
    fields = Fields(data)
    sizes = [fields.u32() for _ in range(3)]
    streams = [fields.take(size) for size in sizes] + [fields.rest()]
    quarter = -(-len(olds) // 4)
    residuals = []
    for number, stream in enumerate(streams):
        residuals += read_tokens(unit, model, stream, olds[number * quarter:(number + 1) * quarter])
    return residuals


def read_tokens(unit, model, data, olds):
    stream, out = BitStream(data), []
    exponent_mask = 2**unit.exponent_bits - 1
    lookups = [model.table_of(exponent).lookup for exponent in range(exponent_mask + 1)]
    for old in olds:
        token, length = lookups[old >> unit.mantissa_bits & exponent_mask][stream.peek(Code.LOOKUP_BITS)]
        stream.skip(length)
        if token < 16:
            out.append(token)
            continue
        bit_length = token - 11
        out.append(1 << (bit_length - 1) | stream.take(bit_length - 1))
    stream.end("tokens")
    return out


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
