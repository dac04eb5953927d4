"""Ed25519 verification (RFC 8032, section 5.1), with the stricter rules of signatures.md ("What a reader MUST reject", 3 to 5 and 7).
Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x * y = T/Z."""
import hashlib

from reader.basics import Untrusted, require

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)

SMALL_ORDER = {bytes.fromhex(text) for text in (
    "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def point_from(encoded, what):
    """RFC 8032, 5.1.3: y and the sign of x. Only the one canonical encoding, and no point of small order."""
    y, sign = int.from_bytes(encoded, "little") & (2**255 - 1), encoded[31] >> 7
    require(y < P, f"{what}: not the canonical encoding of a point")
    require(encoded[:31] + bytes([encoded[31] & 127]) not in SMALL_ORDER, f"{what}: a point of small order")
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_MINUS_1 % P
    if (x * x - x2) % P:
        raise Untrusted(f"{what}: not on the curve")
    require(x or not sign, f"{what}: not the canonical encoding of a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_from(bytes.fromhex("58" + "66" * 31), "base point")


def verify(public_key, signature, message):
    """Raises Corrupt for what is malformed whatever the message, Untrusted for what is no point; else whether the signature holds."""
    key, r = point_from(public_key, "public key"), point_from(signature[:32], "R")
    s = int.from_bytes(signature[32:], "little")
    require(s < L, "S is too large")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % L
    return equal(times(s, BASE), add(r, times(k, key)))
