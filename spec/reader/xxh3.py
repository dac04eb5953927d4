"""XXH3-64 with seed 0 and the default secret (pack.md and segment.md name it; defined by the xxHash specification)."""
import struct

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea"
    "c5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
assert len(SECRET) == 192

P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3, P64_4, P64_5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                                     0x27D4EB2F165667C5)
MX1, MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25
M32, M64 = 2**32 - 1, 2**64 - 1

STRIPE = 64
STRIPES_PER_BLOCK = (len(SECRET) - STRIPE) // 8  # the secret moves on by 8 bytes a stripe
BLOCK = STRIPE * STRIPES_PER_BLOCK


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def swapped(value, size):
    return int.from_bytes(value.to_bytes(size, "little"), "big")


def fold(a, b):
    product = a * b
    return (product & M64) ^ (product >> 64)


def xxh64_avalanche(h):
    h = (h ^ (h >> 33)) * P64_2 & M64
    h = (h ^ (h >> 29)) * P64_3 & M64
    return h ^ (h >> 32)


def avalanche(h):
    h = (h ^ (h >> 37)) * MX1 & M64
    return h ^ (h >> 32)


def up_to_16(data):
    n = len(data)
    if n == 0:
        return xxh64_avalanche(u64(SECRET, 56) ^ u64(SECRET, 64))
    if n <= 3:
        value = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return xxh64_avalanche(value ^ u32(SECRET, 0) ^ u32(SECRET, 4))
    if n <= 8:
        value = u32(data, n - 4) + (u32(data, 0) << 32)
        h = value ^ u64(SECRET, 8) ^ u64(SECRET, 16)
        h ^= ((h << 49 | h >> 15) ^ (h << 24 | h >> 40)) & M64
        h = h * MX2 & M64
        h = (h ^ ((h >> 35) + n)) * MX2 & M64
        return h ^ (h >> 28)
    low = u64(data, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32)
    high = u64(data, n - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48)
    return avalanche((n + swapped(low, 8) + high + fold(low, high)) & M64)


def mix16(data, at, secret_at):
    return fold(u64(data, at) ^ u64(SECRET, secret_at), u64(data, at + 8) ^ u64(SECRET, secret_at + 8))


def up_to_128(data):
    n = len(data)
    h = n * P64_1
    for i in range((n - 1) // 32 + 1):
        h += mix16(data, 16 * i, 32 * i) + mix16(data, n - 16 * (i + 1), 32 * i + 16)
    return avalanche(h & M64)


def up_to_240(data):
    n = len(data)
    h = n * P64_1 + sum(mix16(data, 16 * i, 16 * i) for i in range(8))
    h = avalanche(h & M64)
    h += sum(mix16(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    h += mix16(data, n - 16, 136 - 17)
    return avalanche(h & M64)


# The secret's words for each stripe of a block, one after the other.
BLOCK_SECRET = [u64(SECRET, 8 * stripe + 8 * lane) for stripe in range(STRIPES_PER_BLOCK) for lane in range(8)]
SCRAMBLE_SECRET = [u64(SECRET, len(SECRET) - STRIPE + 8 * lane) for lane in range(8)]
LAST_SECRET = [u64(SECRET, len(SECRET) - STRIPE - 7 + 8 * lane) for lane in range(8)]


def accumulate(lanes, data, at, stripes, secret):
    """Each word goes to its neighbour's lane, and the product of the halves of (word xor secret) to its own."""
    words = struct.unpack_from(f"<{8 * stripes}Q", data, at)
    keys = [word ^ key for word, key in zip(words, secret)]
    products = [(key & M32) * (key >> 32) for key in keys]
    return [(lanes[lane] + sum(words[lane ^ 1::8]) + sum(products[lane::8])) & M64 for lane in range(8)]


def long(data):
    n = len(data)
    lanes = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    blocks = (n - 1) // BLOCK
    for block in range(blocks):
        lanes = accumulate(lanes, data, block * BLOCK, STRIPES_PER_BLOCK, BLOCK_SECRET)
        lanes = [((lane ^ (lane >> 47)) ^ key) * P32_1 & M64 for lane, key in zip(lanes, SCRAMBLE_SECRET)]
    lanes = accumulate(lanes, data, blocks * BLOCK, (n - 1 - blocks * BLOCK) // STRIPE, BLOCK_SECRET)
    lanes = accumulate(lanes, data, n - STRIPE, 1, LAST_SECRET)
    h = n * P64_1
    for i in range(4):
        h += fold(lanes[2 * i] ^ u64(SECRET, 11 + 16 * i), lanes[2 * i + 1] ^ u64(SECRET, 19 + 16 * i))
    return avalanche(h & M64)


def xxh3(data):
    n = len(data)
    if n <= 16:
        return up_to_16(data)
    if n <= 128:
        return up_to_128(data)
    if n <= 240:
        return up_to_240(data)
    return long(data)
