"""byte_code.md: bytes in a Huffman code and four streams."""
from reader.basics import Fields, require

MAX_BITS = 11
STREAMS = 4
SMALL = 2**16


def read_lengths(fields):
    """For each byte of the table the bits of its code; None where the table names a single byte, which takes no bits."""
    first, last = fields.u8(), fields.u8()
    if first == last:
        return first, None
    require(first < last, "a byte code's table without bytes")
    packed = fields.take((last - first + 2) // 2)
    lengths = [packed[i // 2] >> 4 * (i % 2) & 15 for i in range(2 * len(packed))]
    require(not any(lengths[last - first + 1:]), "padding of a byte code's table")
    lengths = lengths[:last - first + 1]
    require(lengths[0] and lengths[-1], "a byte code's table that begins or ends with a byte without a code")
    require(max(lengths) <= MAX_BITS, "a code longer than 11 bits")
    require(sum(2**(MAX_BITS - length) for length in lengths if length) == 2**MAX_BITS, "code lengths that do not fit")
    return first, lengths


def lookup_table(first, lengths):
    """For each next 11 bits of a stream the byte and the bits of its code."""
    table, code = [None] * 2**MAX_BITS, 0
    for length in range(1, MAX_BITS + 1):
        code <<= 1
        for byte, its_length in enumerate(lengths, first):
            if its_length == length:
                reverse = int(f"{code:0{length}b}"[::-1], 2)
                for at in range(reverse, 2**MAX_BITS, 2**length):
                    table[at] = (byte, length)
                code += 1
    return table


def decode_stream(data, count, table):
    out, held, bits, at, mask = bytearray(count), 0, 0, 0, 2**MAX_BITS - 1
    for i in range(count):
        if bits < MAX_BITS:
            held |= int.from_bytes(data[at:at + 8], "little") << bits
            at, bits = at + 8, bits + 64
        out[i], length = table[held & mask]
        held >>= length
        bits -= length
    left = 8 * (len(data) - at) + bits
    require(0 <= left < 8 and held == 0, "a stream of a byte code ends early, late or with wrong padding")
    return out


def decode_bytes(data, size):
    """Exactly `size` bytes, at least one, from exactly all of `data`."""
    fields = Fields(data)
    first, lengths = read_lengths(fields)
    if lengths is None:
        fields.end()
        return bytes([first]) * size
    sizes = [fields.u16() if size <= SMALL else fields.u32() for _ in range(STREAMS - 1)]
    table, part, out = lookup_table(first, lengths), -(-size // STREAMS), bytearray()
    for stream in range(STREAMS):
        content = fields.take(sizes[stream]) if stream < STREAMS - 1 else fields.rest()
        out += decode_stream(content, max(0, min(part, size - stream * part)), table)
    return bytes(out)
