"""planes.md: chunks of tensors, taken apart into planes."""
from reader.basics import Fields, require
from reader.byte_code import decode_bytes
from reader.values import read_planes

BLOCK = 512 << 10


def rotate_right(data, unit):
    """Every little-endian integer of `unit` bytes by one bit, all at once as a single large number."""
    count = len(data) // unit
    number = int.from_bytes(data, "little")
    low_bits = int.from_bytes((b"\1" + bytes(unit - 1)) * count, "little")
    number = (number & ~low_bits) >> 1 | (number & low_bits) << (8 * unit - 1)
    return number.to_bytes(len(data), "little")


def decode_block(data, size, unit, rotation):
    content = read_planes(data, unit, size // unit, decode_bytes)
    return rotate_right(content, unit) if rotation else content


def decode_planes(data, size):
    """Exactly `size` bytes from exactly all of `data`."""
    fields = Fields(data)
    unit, rotation = fields.u8(), fields.u8()
    require(unit in (1, 2, 4, 8) and rotation in (0, 1) and (unit, rotation) != (1, 1), "unknown layout of planes")
    whole = size - size % unit
    out = [decode_block(fields.take(fields.u32()), min(BLOCK, whole - at), unit, rotation) for at in range(0, whole, BLOCK)]
    out.append(fields.take(size - whole))
    fields.end()
    return b"".join(out)
