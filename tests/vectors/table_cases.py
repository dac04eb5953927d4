"""tensor, file, weights and checkpoint objects, built from spec/objects.md alone."""
import struct

CHUNK = bytes.fromhex("3d1ba5d98f012703c5975359eef462772d3662bb64c26ec738d9b7f830418f61")  # the example's
TENSOR = bytes.fromhex("6ff22e11d14cef586bdc99cef94eee42e3db2986807c6eb1e942a1be0727a718")
NONE = bytes(32)
U8, I8, F16, BF16, F32, C64, F6, F4 = 2, 3, 10, 11, 12, 14, 20, 22


def put(content, offset, form, *values):
    out = bytearray(content)
    struct.pack_into("<" + form, out, offset, *values)
    return bytes(out)


def number(value):
    """An id that names nothing that is there."""
    return value.to_bytes(32, "big")


class Names:
    """The strings of a table, in the order in which its records mention them."""

    def __init__(self):
        self.text = b""

    def add(self, name):
        name = name if isinstance(name, bytes) else name.encode()
        self.text += name
        return struct.pack("<2I", len(self.text) - len(name), len(name))


# tensor, file.

def tensor(dtype, shape, chunks, version=1, reserved=0):
    return struct.pack(f"<4B{len(shape)}Q", version, dtype, len(shape), reserved, *shape) + b"".join(chunks)


def file(size, chunks):
    return struct.pack("<Q", size) + b"".join(chunks)


EXAMPLE_TENSOR = tensor(F32, [2], [CHUNK])
MIB4 = 4 << 20
VALID_TENSORS = {
    "scalar": tensor(F32, [], [CHUNK]), "no-elements": tensor(F32, [2, 0], []), "no-elements-huge": tensor(U8, [2**63, 0, 1], []),
    "rank-64": tensor(U8, [1] * 64, [CHUNK]), "one-chunk": tensor(F32, [1 << 20], [CHUNK]),
    "two-chunks": tensor(F32, [(1 << 20) + 1], [CHUNK, CHUNK]), "packed-bits": tensor(F6, [3, 4], [CHUNK]), "half-bytes": tensor(F4, [6], [CHUNK]),
}
VALID_FILES = {"example": file(6, [CHUNK]), "empty": file(0, []), "one-chunk": file(MIB4, [CHUNK]), "two-chunks": file(MIB4 + 1, [CHUNK] * 2)}
INVALID_TENSORS = {
    "reserved": tensor(F32, [2], [CHUNK], reserved=1), "rank-65": tensor(U8, [1] * 65, [CHUNK]),
    "no-chunk": tensor(F32, [2], []), "chunk-too-many": tensor(F32, [2], [CHUNK] * 2), "chunk-of-nothing": tensor(F32, [0], [CHUNK]),
    "second-chunk-missing": tensor(F32, [(1 << 20) + 1], [CHUNK]), "second-chunk-of-4-mib": tensor(F32, [1 << 20], [CHUNK] * 2),
    "chunk-none": tensor(F32, [2], [NONE]), "product-beyond-64-bits": tensor(U8, [2**63, 2, 0], []),
    "size-beyond-64-bits": tensor(C64, [2**58], [CHUNK]), "chunks-beyond-memory": tensor(U8, [2**60], [CHUNK]),
    "half-a-byte": tensor(F4, [3], [CHUNK]), "6-bits": tensor(F6, [1], [CHUNK]),
}
INVALID_FILES = {
    "no-chunk": file(6, []), "chunk-too-many": file(6, [CHUNK] * 2), "chunk-of-nothing": file(0, [CHUNK]), "chunk-none": file(6, [NONE]),
    "second-chunk-missing": file(MIB4 + 1, [CHUNK]), "second-chunk-of-4-mib": file(MIB4, [CHUNK] * 2),
    "chunks-beyond-memory": file(2**64 - 1, [CHUNK]),
}


# weights.

def weights(rows, version=1):
    names = Names()
    records = b"".join(names.add(name) + id for name, id in rows)
    return struct.pack("<3I", version, len(rows), len(names.text)) + records + names.text


EXAMPLE_WEIGHTS = weights([("b", TENSOR), ("w", TENSOR)])
LONG = "n" * 1024
VALID_WEIGHTS = {
    "empty": weights([]), "longest-name": weights([(LONG, TENSOR)]), "letters": weights([("A/b c", TENSOR), ("\u00e9\u4e2d\U0001f600", TENSOR)]),
    "prefix-first": weights([("w", TENSOR), ("w.0", CHUNK), ("w.00", TENSOR)]),
    "bytes-order": weights([("\uffff", TENSOR), ("\U00010000", TENSOR)]),  # UTF-16 would sort them the other way
}
INVALID_WEIGHTS = {
    "not-sorted": weights([("w", TENSOR), ("b", TENSOR)]), "name-twice": weights([("b", TENSOR), ("b", TENSOR)]),
    "tensor-none": weights([("b", NONE)]), "count-more": put(EXAMPLE_WEIGHTS, 4, "I", 3), "count-fewer": put(EXAMPLE_WEIGHTS, 4, "I", 1),
    "count-huge": put(EXAMPLE_WEIGHTS, 4, "I", 2**32 - 1), "strings-huge": put(EXAMPLE_WEIGHTS, 8, "I", 2**32 - 1),
    "strings-shorter": put(EXAMPLE_WEIGHTS, 8, "I", 1), "string-unnamed": put(EXAMPLE_WEIGHTS, 8, "I", 3) + b"x",
    "string-offset": put(EXAMPLE_WEIGHTS, 12, "I", 1), "string-gap": put(EXAMPLE_WEIGHTS, 52, "I", 2),
    "string-shared": put(EXAMPLE_WEIGHTS, 52, "I", 0),
    "string-beyond-end": put(EXAMPLE_WEIGHTS, 56, "I", 2), "string-length-huge": put(EXAMPLE_WEIGHTS, 16, "I", 2**32 - 1),
    "name-empty": weights([("", TENSOR)]), "name-1025": weights([(LONG + "n", TENSOR)]),
    "name-metadata": weights([("__metadata__", TENSOR)]), "name-control": weights([("a\x1f", TENSOR)]), "name-delete": weights([("a\x7f", TENSOR)]),
    "name-zero": weights([("a\0", TENSOR)]), "name-not-utf-8": weights([(b"\xff", TENSOR)]), "name-cut-utf-8": weights([(b"\xc3", TENSOR)]),
    "name-overlong": weights([(b"\xc0\x80", TENSOR)]), "name-surrogate": weights([(b"\xed\xa0\x80", TENSOR)]),
    "name-above-unicode": weights([(b"\xf4\x90\x80\x80", TENSOR)]),
}


# checkpoint.

HEADER, DIGEST, SIDE = number(1), number(2), number(3)


def checkpoint(shards, files, version=1, weights_id=number(4), header=HEADER, digest=DIGEST, side=SIDE):
    """`shards`, `files`: paths."""
    names = Names()
    records = b"".join(names.add(path) + header + struct.pack("<Q", 136) + digest for path in shards)
    records += b"".join(names.add(path) + side for path in files)
    return struct.pack("<4I", version, len(shards), len(files), len(names.text)) + weights_id + records + names.text


MODEL = "model.safetensors"
EXAMPLE_CHECKPOINT = checkpoint([MODEL], ["README.md"])
VALID_CHECKPOINTS = {
    "empty": checkpoint([], []), "no-shard": checkpoint([], ["a"]), "two-shards": checkpoint(["a.safetensors", "b/c.safetensors"], ["b.json", "b/d"]),
    "longest-part": checkpoint([], ["p" * 255]),
    "letters": checkpoint([], [" ", "...", ".gitignore", ".hidden", "a b", "dstore", "git", "\u00e9"]),
    "paths-between": checkpoint([], ["a-b", "a.d", "a/b"]),
}
BAD_PATHS = {
    "empty": "", "absolute": "/a", "ends-with-slash": "a/", "two-slashes": "a//b", "dot": ".", "dot-inside": "a/./b", "dots": "..",
    "dots-inside": "a/../b",
    "dots-at-end": "a/..", "backslash": "a\\b", "control": "a\nb", "delete": "a\x7f", "zero": "a\0b", "not-utf-8": b"\xff", "overlong": b"a\xc0\xaf",
    "git": ".git", "git-inside": "a/.git/hooks", "git-capitals": ".GIT/config", "dstore": ".dstore/config", "dstore-capitals": ".DSTORE",
    "dstore-checkout": ".dstore-checkout", "dstore-temporary": "a/.Dstore-tmp-1", "long-part": "p" * 256,
}
INVALID_CHECKPOINTS = {
    **{f"path-{name}": checkpoint([], [path]) for name, path in BAD_PATHS.items()},
    **{f"shard-path-{name}": checkpoint([BAD_PATHS[name]], []) for name in ("empty", "absolute", "dots-inside", "git")},
    "shards-not-sorted": checkpoint(["b", "a"], []), "files-not-sorted": checkpoint([], ["b", "a"]), "shard-twice": checkpoint(["a", "a"], []),
    "file-twice": checkpoint([], ["a", "a"]), "shard-and-file": checkpoint(["a"], ["a"]), "file-below-shard": checkpoint(["a"], ["a/b"]),
    "shard-below-file": checkpoint(["a/b/c"], ["a/b"]), "file-below-file": checkpoint([], ["a", "a.b", "a/b"]),
    "weights-none": checkpoint([], [], weights_id=NONE), "header-none": checkpoint([MODEL], [], header=NONE),
    "digest-none": checkpoint([MODEL], [], digest=NONE), "file-none": checkpoint([], ["a"], side=NONE),
    "shards-more": put(EXAMPLE_CHECKPOINT, 4, "I", 2), "files-more": put(EXAMPLE_CHECKPOINT, 8, "I", 2),
    "shards-huge": put(EXAMPLE_CHECKPOINT, 4, "I", 2**32 - 1),
    "files-huge": put(EXAMPLE_CHECKPOINT, 8, "I", 2**32 - 1), "strings-shorter": put(EXAMPLE_CHECKPOINT, 12, "I", 25),
    "string-gap": put(EXAMPLE_CHECKPOINT, 48 + 80, "I", 18),
}

UNSUPPORTED = {
    "tensor": {"version-0": tensor(F32, [2], [CHUNK], version=0), "version-2": tensor(F32, [2], [CHUNK], version=2),
               "dtype-0": tensor(0, [2], [CHUNK]), "dtype-23": tensor(23, [2], [CHUNK])},
    "weights": {"version-0": weights([], version=0), "version-2": weights([], version=2)},
    "checkpoint": {"version-0": checkpoint([], [], version=0), "version-2": checkpoint([], [], version=2)},
}


def with_ends(examples, cases):
    """Each kind's cases, and its example cut, longer and gone."""
    return {kind: {"object-empty": b"", "object-cut": examples[kind][:-1], "object-long": examples[kind] + b"\0", **more}
            for kind, more in cases.items()}


VALID = {"tensor": VALID_TENSORS, "file": VALID_FILES, "weights": VALID_WEIGHTS, "checkpoint": VALID_CHECKPOINTS}
INVALID = with_ends({"tensor": EXAMPLE_TENSOR, "file": VALID_FILES["example"], "weights": EXAMPLE_WEIGHTS, "checkpoint": EXAMPLE_CHECKPOINT},
                    {"tensor": INVALID_TENSORS, "file": INVALID_FILES, "weights": INVALID_WEIGHTS, "checkpoint": INVALID_CHECKPOINTS})
