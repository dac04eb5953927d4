"""segment.md, from Residuals to Context model: the new values of a block."""
import math
import struct
from typing import NamedTuple

from reader.basics import Fields, require
from reader.byte_code import decode_bytes
from reader.lz4 import decode_block
from reader.units import BitStream, Unit, unpack_units

RAW, PACKED, CONTEXT, PLANES, CONSTANT, ADDEND = 1, 2, 3, 4, 5, 6
FLOAT32, FLOAT64, COMPLEX64 = 12, 13, 14


# Residuals.

def add_residuals(unit, olds, residuals):
    """ord(new) = ord(old) + unzigzag(residual), mod 2^W."""
    mask, top = 2**unit.bits() - 1, 1 << (unit.bits() - 1)
    steps = [(u >> 1) ^ -(u & 1) for u in residuals]
    if not unit.exponent_bits:
        return [(old + step) & mask for old, step in zip(olds, steps)]
    ordered = [((~old & mask if old & top else old | top) + step) & mask for old, step in zip(olds, steps)]
    return [new ^ top if new & top else ~new & mask for new in ordered]


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


def parse_drift(fields, log2, unit):
    return unpack_units(unit, fields.take(unit.size << log2))


def shifted(unit, drift, olds):
    """The old values as the context coder takes them."""
    if not drift:
        return olds
    mask, exponents, log2 = 2**unit.bits() - 1, 2**unit.exponent_bits - 1, len(drift).bit_length() - 1
    return [old + drift[old >> (unit.mantissa_bits - log2) & len(drift) - 1] & mask if old >> unit.mantissa_bits & exponents else old for old in olds]


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
        olds = shifted(unit, piece.drift, olds)
        residuals = read_context(unit, piece.model, data, olds)
    return add_residuals(unit, olds, residuals)
