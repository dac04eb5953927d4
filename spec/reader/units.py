"""segment.md, Conventions: units and bit streams."""
import struct
from typing import NamedTuple

from reader.basics import require


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
