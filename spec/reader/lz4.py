"""One LZ4 block (pack.md, Codecs; defined by the LZ4 block format)."""
from reader.basics import require

MIN_MATCH = 4


def decode_block(data, size):
    """Exactly `size` bytes from exactly all of `data`."""
    out, at = bytearray(), 0

    def length(nibble):
        nonlocal at
        total = nibble
        while nibble == 15:
            require(at < len(data), "LZ4 block ends inside a length")
            total, at = total + data[at], at + 1
            if data[at - 1] != 255:
                break
        return total

    while True:
        require(at < len(data), "LZ4 block ends before its last literals")
        token, at = data[at], at + 1
        literals = length(token >> 4)
        require(literals <= len(data) - at and literals <= size - len(out), "LZ4 literals beyond the end")
        out += data[at:at + literals]
        at += literals
        if at == len(data):
            break  # the last sequence has no match
        require(len(data) - at >= 2, "LZ4 block ends inside an offset")
        offset, at = data[at] | data[at + 1] << 8, at + 2
        match = length(token & 15) + MIN_MATCH
        require(0 < offset <= len(out), "LZ4 match before the start")
        require(match <= size - len(out), "LZ4 match beyond the end")
        while match > 0:  # a match may overlap what it writes
            step = out[len(out) - offset:][:match]
            out += step
            match -= len(step)
    require(len(out) == size, "LZ4 block gives too few bytes")
    return bytes(out)
