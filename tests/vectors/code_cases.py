"""Byte codes and planes, built from spec/byte_code.md and spec/planes.md alone: (name, content, size of what is decoded, those bytes or error)."""
import struct

TEXT = b"abracadabra"
TEXT_LENGTHS = {ord("a"): 1, ord("b"): 3, ord("c"): 3, ord("d"): 3, ord("r"): 3}
LONGEST = {symbol: min(symbol + 1, 11) for symbol in range(12)}
BLOCK = 512 << 10


def bit_strings(lengths):
    """The canonical code of each byte, its first bit first."""
    code, out = 0, {}
    for bits in range(1, 12):
        code <<= 1
        for byte in sorted(lengths):
            if lengths[byte] == bits:
                out[byte] = f"{code:0{bits}b}"
                code += 1
    return out


def stream(content, lengths):
    bits = "".join(map(bit_strings(lengths).get, content))
    return int(bits[::-1] or "0", 2).to_bytes((len(bits) + 7) // 8, "little")


def table(lengths):
    first, last = min(lengths), max(lengths)
    halves = [lengths.get(byte, 0) for byte in range(first, last + 1)] + [0]
    return bytes([first, last]) + bytes(halves[i] | halves[i + 1] << 4 for i in range(0, last - first + 1, 2))


def streams_of(content, lengths):
    quarter = -(-len(content) // 4)
    return [stream(content[min(i * quarter, len(content)):min((i + 1) * quarter, len(content))], lengths) for i in range(4)]


def joined(head, streams, form="3H"):
    return head + struct.pack("<" + form, *map(len, streams[:3])) + b"".join(streams)


def byte_code(content, lengths):
    return joined(table(lengths), streams_of(content, lengths), "3H" if len(content) <= 65536 else "3I")


HEAD, STREAMS = table(TEXT_LENGTHS), streams_of(TEXT, TEXT_LENGTHS)
GOOD = byte_code(TEXT, TEXT_LENGTHS)


def text_with(head=HEAD, **streams):
    """The example with another table, or other streams by number (s0 to s3)."""
    return joined(head, [streams.get(f"s{i}", each) for i, each in enumerate(STREAMS)])


def patched(content, offset, *values):
    out = bytearray(content)
    out[offset:offset + len(values)] = values
    return bytes(out)


TWO = {7: 1, 200: 1}
VALID_CODES = [
    ("code-example", GOOD, TEXT),
    ("code-one-value", b"\x2a\x2a", b"*" * 70000),
    ("code-one-byte", b"\0\0", b"\0"),
    ("code-one-byte-with-table", byte_code(b"\x07", TWO), b"\x07"),
    ("code-three-bytes", byte_code(b"\xc8\x07\xc8", TWO), b"\xc8\x07\xc8"),
    ("code-five-bytes", byte_code(b"abrac", TEXT_LENGTHS), b"abrac"),
    ("code-11-bits", byte_code(bytes(range(12)) * 9, LONGEST), bytes(range(12)) * 9),
    ("code-all-bytes", byte_code(bytes(range(256)), dict.fromkeys(range(256), 8)), bytes(range(256))),
    ("code-not-the-shortest", byte_code(b"bbbbbbbba", {97: 1, 98: 2, 99: 2}), b"bbbbbbbba"),
    ("code-2-byte-sizes", byte_code(b"\x07" * 65536, TWO), b"\x07" * 65536),
    ("code-4-byte-sizes", byte_code(b"\x07" * 65536 + b"\xc8", TWO), b"\x07" * 65536 + b"\xc8"),
]
INVALID_CODES = [
    ("code-empty", b"", 11), ("code-one-byte-of-table", b"a", 11),
    ("code-first-above-last", patched(GOOD, 0, 0x72, 0x61), 11),
    ("code-one-value-and-more", b"**\0", 11),
    ("code-table-cut", GOOD[:10], 11),
    ("code-sizes-cut", GOOD[:16], 11),
    ("code-first-without-code", text_with(table({**TEXT_LENGTHS, 96: 0})), 11),
    ("code-last-without-code", text_with(table({**TEXT_LENGTHS, 115: 0})), 11),
    ("code-12-bits", joined(b"\x00\x0c\x21\x43\x65\x87\xa9\xcb\x0c", [b"\0"] * 4), 4),
    ("code-incomplete", text_with(patched(HEAD, 2, 0x32)), 11),
    ("code-over-full", text_with(patched(HEAD, 10, 0x20)), 11),
    ("code-unused-half", byte_code(b"abc", {97: 1, 98: 2, 99: 2})[:3] + b"\x12" + byte_code(b"abc", {97: 1, 98: 2, 99: 2})[4:], 3),
    ("code-stream-beyond-end", patched(GOOD, 15, 9), 11),
    ("code-stream-short", text_with(s1=b""), 11),
    ("code-stream-long", text_with(s1=STREAMS[1] + b"\0"), 11),
    ("code-last-stream-short", text_with(s3=b""), 11),
    ("code-last-stream-long", text_with(s3=STREAMS[3] + b"\0"), 11),
    ("code-padding", text_with(s0=bytes([STREAMS[0][0] | 0x80])), 11),
    ("code-last-padding", text_with(s3=bytes([STREAMS[3][0] | 0x80])), 11),
    ("code-bits-missing", text_with(s2=bytes([0b01101001])), 11),
    ("code-empty-stream-with-byte", byte_code(b"abrac", TEXT_LENGTHS) + b"\0", 5),
    ("code-sizes-of-4-bytes", joined(HEAD, STREAMS, "3I"), 11),
    ("code-fewer-bytes", GOOD, 7), ("code-more-bytes", GOOD, 40),
]


# Planes.

def rotated(chunk, unit):
    bits = 8 * unit
    values = [int.from_bytes(chunk[at:at + unit], "little") for at in range(0, len(chunk), unit)]
    return b"".join(((value << 1 | value >> (bits - 1)) & (2**bits - 1)).to_bytes(unit, "little") for value in values)


def block(planes):
    """The planes as they are stored."""
    content = struct.pack(f"<{len(planes)}I", *map(len, planes)) + b"".join(planes)
    return struct.pack("<I", len(content)) + content


def planes(chunk, unit, rotation):
    """Every plane as it is, or left out where it is zero."""
    whole, out = len(chunk) - len(chunk) % unit, bytes([unit, rotation])
    for at in range(0, whole, BLOCK):
        part = chunk[at:min(at + BLOCK, whole)]
        values = rotated(part, unit) if rotation else part
        out += block([plane if any(plane) else b"" for plane in (values[b::unit] for b in range(unit))])
    return out + chunk[whole:]


EXAMPLE = bytes.fromhex("003f80bf004007")
NUMBERS = bytes(range(1, 64)) + b"\x80\xff\0\0\0"


def coded_chunk():
    """44 elements of two bytes: the low ones are stored, the high ones coded."""
    low, high = bytes(range(44)), TEXT * 4
    return b"\x02\0" + block([low, byte_code(high, TEXT_LENGTHS)]), bytes(byte for pair in zip(low, high) for byte in pair)


CODED, CODED_CHUNK = coded_chunk()
SIZES = 6  # where the sizes of the first block's planes are
VALID_PLANES = [
    ("planes-example", planes(EXAMPLE, 2, 1), EXAMPLE),
    *((f"planes-unit-{unit}-rotation-{rotation}", planes(NUMBERS, unit, rotation), NUMBERS)
      for unit, rotation in ((1, 0), (2, 0), (2, 1), (4, 0), (4, 1), (8, 0), (8, 1))),
    ("planes-coded", CODED, CODED_CHUNK),
    ("planes-one-value", b"\x01\0" + block([b"\x2a\x2a"]), b"*" * 5000),
    ("planes-less-than-a-unit", b"\x08\x01abc", b"abc"),
    ("planes-one-byte", b"\x01\0" + block([b"x"]), b"x"),
    ("planes-two-blocks", b"\x02\x01" + block([b"", b"\x7e\x7e"]) + block([b"", b"\x81"]) + b"t",
     b"\0\x3f" * (BLOCK // 2) + b"\x80\x40" + b"t"),
    ("planes-largest", b"\x04\0" + block([b"", b"", b"", b"\x3f\x3f"]) * 8, b"\0\0\0\x3f" * (1 << 20)),
]
PLAIN = planes(NUMBERS, 2, 0)
INVALID_PLANES = [
    ("planes-empty", b"", 7), ("planes-unit-alone", b"\x02", 7), ("planes-header-alone", b"\x02\x01", 7),
    *((f"planes-unit-{unit}", patched(PLAIN, 0, unit), len(NUMBERS)) for unit in (0, 3, 16)),
    ("planes-rotation-2", patched(PLAIN, 1, 2), len(NUMBERS)),
    ("planes-rotation-of-bytes", patched(planes(NUMBERS, 1, 0), 1, 1), len(NUMBERS)),
    ("planes-block-beyond-end", patched(PLAIN, 2, 0xff), len(NUMBERS)),
    ("planes-block-short", patched(PLAIN, 2, PLAIN[2] - 1), len(NUMBERS)),
    ("planes-block-long", patched(PLAIN, 2, PLAIN[2] + 1) + b"\0", len(NUMBERS)),
    ("planes-block-without-sizes", b"\x02\0" + struct.pack("<I", 4) + bytes(4), 4),
    ("planes-byte-left-over", PLAIN + b"\0", len(NUMBERS)),
    ("planes-tail-missing", planes(EXAMPLE, 2, 1)[:-1], 7),
    ("planes-tail-long", planes(EXAMPLE, 2, 1) + b"\0", 7),
    ("planes-plane-too-large", b"\x01\0" + block([b"abcd"]), 3),
    ("planes-plane-not-coded", patched(PLAIN, SIZES, 33), len(NUMBERS)),
    ("planes-code-damaged", patched(CODED, SIZES + 8 + 44, 0x62), len(CODED_CHUNK)),
    ("planes-code-short", patched(CODED, SIZES + 4, CODED[SIZES + 4] - 1), len(CODED_CHUNK)),
    ("planes-second-block-missing", b"\x01\0" + block([b"\x2a\x2a"]), BLOCK + 1),
    ("planes-third-block", b"\x01\0" + block([b"\x2a\x2a"]) * 3, 2 * BLOCK),
    ("planes-other-size", PLAIN, len(NUMBERS) + 2),
]
