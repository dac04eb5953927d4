"""Headers of safetensors files, built from spec/objects.md (checkpoint, the rules of a header) alone: bytes, size of the whole file."""
import struct

TENSORS = b'{"b":{"dtype":"U8","shape":[2,4],"data_offsets":[0,8]},"s":{"dtype":"F16","shape":[],"data_offsets":[8,10]}}'
SIZE = 10  # of the tensors


def padded(json, length=None):
    json += b" " * (-len(json) % 8)
    return struct.pack("<Q", len(json) if length is None else length) + json


def case(json, size=SIZE, length=None):
    content = padded(json, length)
    return content, len(content) + size


def changed(*replacements, size=SIZE):
    json = TENSORS
    for old, new in replacements:
        assert json.count(old) == 1, (old, json)
        json = json.replace(old, new)
    return case(json, size)


FOUND = {"b": ["U8", [2, 4], 0, 8], "s": ["F16", [], 8, 10]}
B_ROW = TENSORS[1:TENSORS.index(b',"s"')]
TABS = b'{\t"b" :\r\n{"data_offsets":[0, 0],"shape":[0,9],"dtype":"F32"} }'
VALID = {
    "two-tensors": (*case(TENSORS), FOUND), "no-tensors": (*case(b"{}", 0), {}),
    "no-padding": (struct.pack("<Q", len(TENSORS)) + TENSORS, 8 + len(TENSORS) + SIZE, FOUND),
    "metadata": (*changed((b'{"b"', b'{"__metadata__":{"format":"pt","":"\\u00e9\\/"},"b"')), FOUND),
    "white-space": (*case(TABS, 0), {"b": ["F32", [0, 9], 0, 0]}),
    "escapes-in-names": (*changed((b'"s"', b'"\\ud83d\\ude00\\"/"')), {"b": FOUND["b"], "\U0001f600\"/": FOUND["s"]}),
    "other-order": (*changed((b"[0,8]", b"[2,10]"), (b"[8,10]", b"[0,2]")), {"b": ["U8", [2, 4], 2, 10], "s": ["F16", [], 0, 2]}),
}
INVALID = {
    "empty": (b"", 0), "length-alone": (struct.pack("<Q", 8), 8), "length-longer": case(TENSORS, length=len(padded(TENSORS))),
    "length-huge": case(TENSORS, length=2**64 - 1), "length-0": (bytes(8), 8), "space-before": case(b" " + TENSORS), "array": case(b"[]", 0),
    "text": case(b'"{}"', 0), "line-feed-behind": case(TENSORS + b"\n"), "two-objects": case(b"{}{}", 0), "cut": case(TENSORS[:-1]),
    "byte-order-mark": case(b"\xef\xbb\xbf" + TENSORS), "not-utf-8": changed((b'"s"', b'"\xff"')), "half-surrogate": changed((b'"s"', b'"\\ud83d"')),
    "zero-byte": changed((b'"s"', b'"\0"')), "control-byte": changed((b'"s"', b'"\x1f"')), "line-feed-in-name": changed((b'"s"', b'"\n"')),
    "control-in-name": changed((b'"s"', b'"\\u0001"')), "empty-name": changed((b'"s"', b'""')), "form-feed": changed((b'"s":', b'"s":\f')),
    "tensor-twice": changed((B_ROW, B_ROW + b"," + B_ROW)), "key-twice": changed((b'"shape":[]', b'"shape":[],"shape":[]')),
    "metadata-twice": changed((b'{"b"', b'{"__metadata__":{},"__metadata__":{},"b"')), "unknown-key": changed((b'"shape":[]', b'"shape":[],"x":0')),
    "key-missing": changed((b'"shape":[],', b"")), "row-array": changed((B_ROW, b'"b":[]')),
    "metadata-integer": changed((b'{"b"', b'{"__metadata__":{"a":1},"b"')),
    "metadata-array": changed((b'{"b"', b'{"__metadata__":[],"b"')), "dtype-integer": changed((b'"F16"', b"10")),
    "shape-integer": changed((b'"shape":[]', b'"shape":1')),
    "shape-of-65": changed((b'"shape":[]', b'"shape":[' + b",".join([b"1"] * 65) + b"]")), "minus-zero": changed((b"[0,8]", b"[-0,8]")),
    "negative": changed((b"[2,4]", b"[-2,-4]")), "fraction": changed((b"[2,4]", b"[2.0,4]")), "exponent": changed((b"[2,4]", b"[2,4e0]")),
    "plus": changed((b"[2,4]", b"[2,+4]")), "leading-zero": changed((b"[2,4]", b"[2,04]")),
    "2-to-63": case(b'{"b":{"dtype":"U8","shape":[0,9223372036854775808],'
                                                                                                          b'"data_offsets":[0,0]}}', 0),
    "product-beyond-64-bits": case(b'{"b":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}', 0),
    "true": changed((b"[0,8]", b"[false,8]")),
    "one-offset": changed((b"[0,8]", b"[0]")), "three-offsets": changed((b"[0,8]", b"[0,8,8]")),
    "half-a-byte": case(b'{"b":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', 1),
    "hole": changed((b"[8,10]", b"[9,11]"), size=11), "hole-at-start": changed((b"[0,8]", b"[1,9]"), (b"[8,10]", b"[9,11]"), size=11),
    "overlap": changed((b"[8,10]", b"[7,9]"), size=9), "range-too-long": changed((b"[8,10]", b"[8,11]"), size=11),
    "falling": changed((b"[8,10]", b"[10,8]")),
    "file-longer": changed(size=11), "file-shorter": changed(size=9),
}
UNSUPPORTED = {"unknown-dtype": changed((b'"U8"', b'"U9"'))}
