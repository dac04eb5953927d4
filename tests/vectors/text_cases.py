"""commit and signature objects and ref entries, built from spec/objects.md (commit, Canonical JSON), signatures.md and refs.md alone."""
import base64
import hashlib

from reader import ed25519
from reader.basics import canonical_json

ID = "c133be54f9ec0eb449ca48fd1c23967978e19d77cc6b3fbd1c2fb8c147322c29"
OTHER = "717c98b50d710ef183097793c416ce2a8394187f8ab9cf4f4f7ce638ec42034e"
ZERO = "0" * 64
METRIC = {"data_sha256": ID, "metric": "accuracy", "n": 5000, "split": "test", "value": "0.7512"}
BASE = {"author": "Ada", "checkpoint": ID, "derived_from": [], "message": "x", "metrics": [], "parents": [],
        "time": 1700000000, "training": {}, "v": 1}
TASK = {**BASE, "base": ID, "delta": OTHER, "derived_from": [OTHER], "metrics": [METRIC, METRIC], "parents": [ID, OTHER],
        "training": {"method": "bitfit", "seed": "7"}}
ADAPTER = {**TASK, "adapter": OTHER, "v": 2}


def without(value, *keys):
    return {key: member for key, member in value.items() if key not in keys}


def text(value, *replacements):
    """Canonical JSON, then changed at one place each."""
    out = canonical_json(value).encode()
    for old, new in replacements:
        assert out.count(old) == 1, (old, out)
        out = out.replace(old, new)
    return out


def base_with(**members):
    return text({**BASE, **members})


def message(raw):
    """The commit whose message is written like this."""
    return text(BASE, (b'"x"', raw))


VALID_COMMITS = {
    "base": text(BASE), "task": text(TASK), "escapes": base_with(message='"\\/\0\x1f\n\x7f'),
    "adapter": text(ADAPTER), "letters": base_with(message="\u00e9 \uffff \U0001f600\n\n\u0645"),
    "empty-texts": base_with(author="", message=""), "time-0": base_with(time=0), "time-largest": base_with(time=2**53 - 1),
    "n-smallest": base_with(metrics=[{**METRIC, "n": 1 - 2**53, "value": ""}]),
    "facts-in-order": base_with(training={"": "", "A": "", "a": "", "\u00e9": ""}),
    "keys-by-bytes": base_with(training={"\uffff": "", "\U00010000": ""}),
}
TIME = b'"time":1700000000'
INVALID_COMMITS = {
    "object-empty": b"", "object-cut": text(BASE)[:-1], "object-long": text(BASE) + b"\n", "array": b"[]", "text": b'"x"',
    # Canonical JSON.
    "json-byte-order-mark": b"\xef\xbb\xbf" + text(BASE), "json-space-before": b" " + text(BASE),
    "json-space-inside": text(BASE, (b'"v":1', b'"v": 1')),
    "json-keys-not-sorted": text(without(BASE, "v"), (b'{"author"', b'{"v":1,"author"')), "json-key-twice": text(BASE, (b'"v":1', b'"v":1,"v":1')),
    "json-trailing-comma": text(BASE, (b'"v":1', b'"v":1,')), "json-single-quotes": message(b"'x'"), "json-true": text(BASE, (TIME, b'"time":true')),
    "json-null": message(b"null"), "json-fraction": text(BASE, (TIME, b'"time":1.0')), "json-exponent": text(BASE, (TIME, b'"time":1e3')),
    "json-plus": text(BASE, (TIME, b'"time":+1')), "json-leading-zero": text(BASE, (TIME, b'"time":01')),
    "json-minus-zero": text(BASE, (TIME, b'"time":-0')),
    "json-minus-alone": text(BASE, (TIME, b'"time":-')), "json-2-to-53": text(BASE, (TIME, b'"time":9007199254740992')),
    "json-minus-2-to-53": text({**BASE, "metrics": [METRIC]}, (b'"n":5000', b'"n":-9007199254740992')),
    "json-huge": text(BASE, (TIME, b'"time":' + b"9" * 400)),
    "json-hexadecimal": text(BASE, (TIME, b'"time":0x1')), "json-infinity": text(BASE, (TIME, b'"time":Infinity')),
    "json-control-byte": message(b'"a\nb"'), "json-short-escape": message(rb'"a\nb"'), "json-escaped-slash": message(rb'"a\/b"'),
    "json-escaped-letter": message(rb'"\u0061"'), "json-escape-in-capitals": message(rb'"\u001F"'), "json-escaped-delete": message(rb'"\u007f"'),
    "json-escape-cut": message(rb'"\u00"'), "json-unknown-escape": message(rb'"\x41"'), "json-surrogates": message(rb'"\ud83d\ude00"'),
    "json-half-surrogate": message(rb'"\ud83d"'), "json-not-utf-8": message(b'"\xff"'), "json-overlong": message(b'"\xc0\x80"'),
    "json-utf-8-surrogate": message(b'"\xed\xa0\x80"'), "json-above-unicode": message(b'"\xf4\x90\x80\x80"'),
    "json-utf-8-cut": message(b'"\xe2\x82"'),
    "json-deep": text(BASE, (b'"training":{}', b'"training":{"a":' + b"[" * 15 + b"]" * 15 + b"}")),
    "json-deeper-than-a-stack": b"[" * 1200,
    # Keys and values.
    **{f"lacks-{key.replace('_', '-')}": text(without(BASE, key)) for key in BASE}, "unknown-key": base_with(w=1),
    "base-without-delta": base_with(base=ID), "delta-without-base": base_with(delta=ID), "base-empty": base_with(base="", delta=ID),
    **{f"{key}-none": text({**BASE, "base": ID, "delta": OTHER, key: ZERO}) for key in ("base", "checkpoint", "delta")},
    **{f"{key.replace('_', '-')}-{name}": base_with(**{key: value}) for key in ("parents", "derived_from")
       for name, value in {"none": [ZERO], "empty-id": [""], "text": ID, "object": {}, "of-integers": [1]}.items()},
    "id-in-capitals": base_with(checkpoint=ID.upper()), "id-short": base_with(checkpoint=ID[1:]), "id-long": base_with(checkpoint=ID + "0"),
    "id-no-digit": base_with(checkpoint="g" + ID[1:]), "checkpoint-empty": base_with(checkpoint=""), "checkpoint-integer": base_with(checkpoint=1),
    "author-integer": base_with(author=1), "message-array": base_with(message=[]), "time-negative": base_with(time=-1),
    "time-text": base_with(time="0"),
    "training-array": base_with(training=[]), "training-integer": base_with(training={"seed": 7}), "metrics-object": base_with(metrics={}),
    "metric-text": base_with(metrics=["x"]), "metric-n-text": base_with(metrics=[{**METRIC, "n": "1"}]),
    "metric-value-integer": base_with(metrics=[{**METRIC, "value": 1}]),
    "metric-unknown-key": base_with(metrics=[{**METRIC, "w": ""}]),
    **{f"metric-lacks-{key.replace('_', '-')}": base_with(metrics=[without(METRIC, key)]) for key in METRIC},
    "version-text": base_with(v="1"), "version-array": base_with(v=[1]),
    "adapter-in-version-1": text({**ADAPTER, "v": 1}), "adapter-of-a-base": base_with(adapter=OTHER, v=2), "adapter-none": text({**ADAPTER, "adapter": ZERO}),
    "adapter-text": text({**ADAPTER, "adapter": "lora"}), "adapter-array": text({**ADAPTER, "adapter": [OTHER]}),
}
UNSUPPORTED_COMMITS = {"version-0": base_with(v=0), "version-2": base_with(v=2), "version-negative": base_with(v=-1),
                       "version-3-adapter": text({**ADAPTER, "v": 3})}


# Signatures.

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
COMMIT_SPACE, REF_SPACE = b"dstore-commit@v1", b"dstore-ref@v1"


def encode_point(point):
    inverse = pow(point[2], -1, ed25519.P)
    return (point[1] * inverse % ed25519.P | (point[0] * inverse % ed25519.P & 1) << 255).to_bytes(32, "little")


def sign_raw(content, r=None):
    """(public key, R and S), RFC 8032, 5.1.6. `r`: another R, under which S still fits."""
    digest = hashlib.sha512(SEED).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    key = encode_point(ed25519.times(scalar, ed25519.BASE))
    nonce = 0 if r else int.from_bytes(hashlib.sha512(digest[32:] + content).digest(), "little") % ed25519.L
    r = r or encode_point(ed25519.times(nonce, ed25519.BASE))
    k = int.from_bytes(hashlib.sha512(r + key + content).digest(), "little")
    return key, r + ((nonce + k * scalar) % ed25519.L).to_bytes(32, "little")


def string(content):
    return len(content).to_bytes(4, "big") + content


def signed_data(content, space):
    return b"SSHSIG" + string(space) + string(b"") + string(b"sha512") + string(hashlib.sha512(content).digest())


def blob(content, space=COMMIT_SPACE, magic=b"SSHSIG", version=1, key_type=b"ssh-ed25519", key=None, reserved=b"", hash=b"sha512",
         signature_type=b"ssh-ed25519", raw=None, r=None, key_end=b"", inner_end=b"", named=None):
    """The signature of `content`; `named`: the namespace that the blob names, if not the one that was signed."""
    own, signature = sign_raw(signed_data(content, space), r)
    return (magic + version.to_bytes(4, "big") + string(string(key_type) + string(own if key is None else key) + key_end)
            + string(space if named is None else named) + string(reserved) + string(hash)
            + string(string(signature_type) + string(signature if raw is None else raw) + inner_end))


SIGNED = text(BASE)
TARGET = hashlib.sha256(b"dstore commit %d\0" % len(SIGNED) + SIGNED).digest()
KEY, RAW = sign_raw(signed_data(SIGNED, COMMIT_SPACE))
S = int.from_bytes(RAW[32:], "little")
ONE, MINUS_ONE = (1).to_bytes(32, "little"), (ed25519.P - 1).to_bytes(32, "little")
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
NO_POINT = (2).to_bytes(32, "little")
BEYOND_P = (ed25519.P + 3).to_bytes(32, "little")
VALID_SIGNATURES = {"commit": TARGET + blob(SIGNED)}
INVALID_SIGNATURES = {name: (target if isinstance(target, bytes) else TARGET) + content for name, target, content in [
    ("object-cut", TARGET, blob(SIGNED)[:-1]), ("object-long", TARGET, blob(SIGNED) + b"\0"), ("no-target", bytes(32), blob(SIGNED)),
    ("no-signature", TARGET, b""), *((name, None, blob(SIGNED, **fields)) for name, fields in {
        "magic": {"magic": b"SSHSIX"}, "namespace-empty": {"named": b""}, "reserved": {"reserved": b"x"}, "key-long": {"key_end": b"\0"},
        "signature-long": {"inner_end": b"\0"}, "key-31-bytes": {"key": KEY[:31]}, "key-33-bytes": {"key": KEY + b"\0"},
        "signature-63-bytes": {"raw": RAW[:63]},
        "signature-65-bytes": {"raw": RAW + b"\0"}, "signature-type": {"signature_type": b"ssh-rsa"},
        "key-of-order-1": {"key": ONE, "raw": ONE + bytes(32)},
        "key-of-order-2": {"key": MINUS_ONE}, "key-of-order-4": {"key": bytes(32)}, "key-of-order-8": {"key": ORDER_8},
        "key-of-order-8-negative": {"key": ORDER_8[:31] + bytes([ORDER_8[31] | 128])}, "key-y-beyond-p": {"key": BEYOND_P},
        "key-negative-zero": {"key": ONE[:31] + b"\x80"}, "r-of-order-1": {"r": ONE}, "r-of-order-4": {"raw": bytes(32) + RAW[32:]},
        "r-y-beyond-p": {"raw": BEYOND_P + RAW[32:]}, "s-plus-order": {"raw": RAW[:32] + (S + ed25519.L).to_bytes(32, "little")},
        "s-order": {"raw": RAW[:32] + ed25519.L.to_bytes(32, "little")}}.items())]}
INVALID_SIGNATURES["object-empty"] = b""
UNSUPPORTED_SIGNATURES = {name: TARGET + blob(SIGNED, **fields) for name, fields in {
    "version-0": {"version": 0}, "version-2": {"version": 2}, "hash-sha256": {"hash": b"sha256"}, "key-type-rsa": {"key_type": b"ssh-rsa"}}.items()}
UNTRUSTED_SIGNATURES = {name: TARGET + content for name, content in {
    "other-message": blob(SIGNED + b"\n"), "namespace-of-refs": blob(SIGNED, space=REF_SPACE),
    "namespace-renamed": blob(SIGNED, space=REF_SPACE, named=COMMIT_SPACE),
    "namespace-longer": blob(SIGNED, space=COMMIT_SPACE + b"0"),
    "s-changed": blob(SIGNED, raw=RAW[:32] + ((S + 1) % ed25519.L).to_bytes(32, "little")),
    "r-changed": blob(SIGNED, raw=encode_point(ed25519.times(3, ed25519.BASE)) + RAW[32:]),
    "key-no-point": blob(SIGNED, key=NO_POINT), "r-no-point": blob(SIGNED, raw=NO_POINT + RAW[32:]),
    "key-changed": blob(SIGNED, key=encode_point(ed25519.times(5, ed25519.BASE)))}.items()}


def armoured(content, columns=70):
    lines = base64.b64encode(content)
    return (b"-----BEGIN SSH SIGNATURE-----\n" + b"".join(lines[at:at + columns] + b"\n" for at in range(0, len(lines), columns))
            + b"-----END SSH SIGNATURE-----\n")
