"""objects.md, delta: what the pieces of a change apply to. Numbers are handled exactly: as integers, and as fractions."""
import math
import struct
from fractions import Fraction

from reader.basics import require
from reader.objects import DTYPES, Tensor, tensor_size

# name → bytes, bits of the exponent, bits of the mantissa.
FLOATS = {"F64": (8, 11, 52), "F32": (4, 8, 23), "F16": (2, 5, 10), "BF16": (2, 8, 7)}
CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def split(name, data):
    size = FLOATS[name][0]
    return struct.unpack(f"<{len(data) // size}{CODES[size]}", data)


def join(name, values):
    return struct.pack(f"<{len(values)}{CODES[FLOATS[name][0]]}", *values)


def convert_one(bits, source, target):
    """objects.md, Conversion of floats."""
    _, e_from, m_from = FLOATS[source]
    size, e_to, m_to = FLOATS[target]
    sign, exponent, mantissa = bits >> (e_from + m_from), bits >> m_from & ((1 << e_from) - 1), bits & ((1 << m_from) - 1)
    sign <<= 8 * size - 1
    top = (1 << e_to) - 1
    if exponent == (1 << e_from) - 1:
        return sign | top << m_to | (1 << (m_to - 1) if mantissa else 0)
    # The number is significand * 2^power.
    significand = mantissa | (1 << m_from if exponent else 0)
    power = max(exponent, 1) - ((1 << (e_from - 1)) - 1) - m_from
    if significand == 0:
        return sign
    # The result is a multiple of 2^step: that of its exponent, or of the subnormal numbers.
    bias_to = (1 << (e_to - 1)) - 1
    step = max(power + significand.bit_length() - 1, 1 - bias_to) - m_to
    if power >= step:
        steps = significand << (power - step)
    else:
        steps, rest = divmod(significand, 1 << (step - power))
        half = 1 << (step - power - 1)
        steps += rest > half or rest == half and steps & 1
    return sign | min((step + m_to + bias_to - 1 << m_to) + steps, top << m_to)


def convert(data, source, target):
    if source == target:
        return bytes(data)
    known = {}
    out = []
    for bits in split(source, data):
        if bits not in known:
            known[bits] = convert_one(bits, source, target)
        out.append(known[bits])
    return join(target, out)


def converted(name, stored, content, how):
    """The tensor and its bytes after a conversion."""
    shape = (how.rows, *stored.shape[1:]) if stored.shape else ()
    require(stored.shape or how.rows == 1, f"a scalar with {how.rows} rows")
    source, target = DTYPES[stored.dtype][0], DTYPES[how.dtype][0]
    require(source == target or source in FLOATS and target in FLOATS, f"{name!a}: {source} is not converted to {target}")
    require(source != target or shape != tuple(stored.shape), f"{name!a}: a conversion that changes nothing")
    size = tensor_size(how.dtype, shape)
    data = convert(content, source, target)[:size]
    return Tensor(how.dtype, shape, []), data + bytes(size - len(data))


def rounded(exact):
    """The nearest F32 of a number, ties to even; the sign of zero, infinities and NaN stay."""
    if exact != exact or math.isinf(exact):
        return exact
    value = Fraction(exact)
    if value == 0:
        return exact
    power = value.numerator.bit_length() - value.denominator.bit_length()
    power -= abs(value) < Fraction(2) ** power
    step = Fraction(2) ** (max(power, -126) - 23)
    nearest = round(abs(value) / step) * step  # round() of a fraction goes to even
    return math.copysign(float(nearest) if nearest < 2 ** 128 else math.inf, value)


def product(x, y):
    return rounded(x * y)  # a double holds every product of two F32 numbers exactly


def total(x, y):
    if not (math.isfinite(x) and math.isfinite(y)) or x + y == 0:
        return x + y
    return rounded(Fraction(x) + Fraction(y))


def as_floats(tensor, content):
    data = convert(content, DTYPES[tensor.dtype][0], "F32")
    return struct.unpack(f"<{len(data) // 4}f", data)


def low_rank(name, stored, content, b, b_content, a, a_content, scale):
    """The bytes of base + scale * (B x A)."""
    names = [DTYPES[tensor.dtype][0] for tensor in (stored, b, a)]
    require(all(dtype in ("F32", "F16", "BF16") for dtype in names), f"{name!a}: factors of a dtype that has none")
    require(len(stored.shape) >= 2 and content, f"{name!a}: factors of what is no matrix")
    rows, columns = stored.shape[0], 1
    for dimension in stored.shape[1:]:
        columns *= dimension
    require(len(b.shape) == 2 and len(a.shape) == 2 and b.shape[0] == rows and a.shape[1] == columns and b.shape[1] == a.shape[0],
            f"{name!a}: shapes of the factors")
    rank = a.shape[0]
    require(1 <= rank <= 4096, f"{name!a}: rank {rank}")
    base, left, right = as_floats(stored, content), as_floats(b, b_content), as_floats(a, a_content)
    out = []
    for i in range(rows):
        for j in range(columns):
            sum = 0.0
            for k in range(rank):
                sum = total(sum, product(left[i * rank + k], right[k * columns + j]))
            value = total(base[i * columns + j], product(scale, sum))
            require(value == value, f"{name!a}: a low-rank result that is NaN")
            out.append(value)
    return convert(struct.pack(f"<{len(out)}f", *out), "F32", names[0])
