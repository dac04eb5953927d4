"""delta objects, built from spec/objects.md alone."""
import struct

from table_cases import BF16, NONE, Names, number, put, with_ends

ADD, REMOVE, RENAME, MODIFY, CONVERT, LOW_RANK = 1, 2, 3, 4, 5, 6
TENSOR, BASE, RESULT, SEGMENT, B, A = map(number, range(1, 7))
NO_PIECES = (0, 0, 0)


def change(operation, name, base_name="", pieces=NO_PIECES, tensor=None, reserved=0, how=None):
    """A row for delta(). `how`: (dtype, rows) of a convert, (B, A, scale) of a low_rank."""
    tensor = tensor if tensor is not None else NONE if operation in (REMOVE, RENAME) else TENSOR
    how = how or {CONVERT: (BF16, 7), LOW_RANK: (B, A, 0.5)}.get(operation)
    return operation, name, base_name, pieces, tensor, reserved, how


def conversion(dtype, rows, reserved=0):
    return dtype.to_bytes(1, "little") + reserved.to_bytes(7, "little") + struct.pack("<Q", rows)


def factors(b, a, scale, reserved=0):
    return b + a + struct.pack("<fI", scale, reserved)


def delta(*changes, segments=(SEGMENT,), base=BASE, result=RESULT, version=1, kind=0):
    names, records, conversions, pairs = Names(), b"", b"", b""
    for operation, name, base_name, pieces, tensor, reserved, how in changes:
        records += struct.pack("<B3s", operation, reserved.to_bytes(3, "little")) + names.add(name) + names.add(base_name)
        records += struct.pack("<3I", *pieces) + tensor
        if operation == CONVERT:
            conversions += conversion(*how)
        if operation == LOW_RANK:
            pairs += factors(*how)
    head = struct.pack("<2I", version, kind) + base + result + struct.pack("<3I", len(segments), len(changes), len(names.text))
    return head + b"".join(segments) + records + conversions + pairs + names.text


EVERY = [change(CONVERT, "a", pieces=(0, 0, 1)), change(CONVERT, "b"), change(LOW_RANK, "c"), change(LOW_RANK, "d", "d0", pieces=(1, 2, 3)),
         change(MODIFY, "e", pieces=(0, 1, 1)), change(MODIFY, "f", "f0", pieces=(1, 0, 2)), change(ADD, "g"), change(REMOVE, "h"),
         change(RENAME, "i", "i0")]
MANY = delta(*EVERY, segments=[SEGMENT, number(9)])
EXAMPLE = delta(change(MODIFY, "b", pieces=(0, 0, 1)), change(RENAME, "bert.w", "w"), change(ADD, "head"))
VALID = {
    "every-operation": MANY, "nothing-changed": delta(segments=[]), "segment-without-use": delta(),
    "added-in-place": delta(change(ADD, "a"), change(RENAME, "b", "a")),
    "removed-and-renamed-to": delta(change(REMOVE, "a"), change(RENAME, "a", "b")),
    "swapped": delta(change(RENAME, "a", "b"), change(RENAME, "b", "a")), "converted-to-no-rows": delta(change(CONVERT, "a", how=(BF16, 0))),
    "scale-zero": delta(change(LOW_RANK, "a", how=(B, B, 0.0))), "scale-negative-zero": delta(change(LOW_RANK, "a", how=(B, A, -0.0))),
    "scale-subnormal": delta(change(LOW_RANK, "a", how=(B, A, 1e-45))), "pieces-huge": delta(change(MODIFY, "a", pieces=(0, 2**32 - 1, 2**32 - 1))),
    **{f"converted-to-dtype-{dtype}": delta(change(CONVERT, "a", how=(dtype, 1))) for dtype in (1, 22)},
}


def one(*values, **fields):
    return delta(change(*values, **fields))


PIECE = (0, 0, 1)
CHANGES = 84 + 32  # where the changes are, after one segment
FEW = delta(change(CONVERT, "a", pieces=PIECE), change(MODIFY, "b", pieces=PIECE))
INVALID = {
    # What the table of operations does not allow.
    "add-base-name": one(ADD, "a", "b"), "add-no-tensor": one(ADD, "a", tensor=NONE), "add-pieces": one(ADD, "a", pieces=PIECE),
    "add-segment": delta(change(ADD, "a", pieces=(1, 0, 0)), segments=[SEGMENT, SEGMENT]), "add-piece": one(ADD, "a", pieces=(0, 1, 0)),
    "remove-base-name": one(REMOVE, "a", "b"), "remove-tensor": one(REMOVE, "a", tensor=TENSOR), "remove-pieces": one(REMOVE, "a", pieces=PIECE),
    "rename-no-base-name": one(RENAME, "a"), "rename-tensor": one(RENAME, "a", "b", tensor=TENSOR),
    "rename-pieces": one(RENAME, "a", "b", pieces=PIECE),
    "rename-to-own-name": one(RENAME, "a", "a"), "modify-own-base-name": one(MODIFY, "a", "a", pieces=PIECE), "modify-no-pieces": one(MODIFY, "a"),
    "modify-no-tensor": one(MODIFY, "a", pieces=PIECE, tensor=NONE), "modify-segment-missing": one(MODIFY, "a", pieces=(1, 0, 1)),
    "modify-without-segments": delta(change(MODIFY, "a", pieces=PIECE), segments=[]), "convert-no-tensor": one(CONVERT, "a", tensor=NONE),
    "convert-segment-without-pieces": delta(change(CONVERT, "a", pieces=(1, 0, 0)), segments=[SEGMENT, SEGMENT]),
    "convert-piece-without-pieces": one(CONVERT, "a", pieces=(0, 1, 0)), "convert-segment-missing": one(CONVERT, "a", pieces=(1, 0, 1)),
    "low-rank-no-tensor": one(LOW_RANK, "a", tensor=NONE), "low-rank-piece-without-pieces": one(LOW_RANK, "a", pieces=(0, 1, 0)),
    "low-rank-segment-missing": one(LOW_RANK, "a", pieces=(7, 0, 1)), "low-rank-own-base-name": one(LOW_RANK, "a", "a"),
    # Names.
    "name-empty": one(ADD, ""), "name-metadata": one(ADD, "__metadata__"), "name-control": one(REMOVE, "a\x1b"),
    "name-not-utf-8": one(ADD, b"\xff"), "base-name-control": one(RENAME, "a", "\x7f"), "base-name-metadata": one(RENAME, "a", "__metadata__"),
    "base-name-not-utf-8": one(RENAME, "a", b"\xed\xa0\x80"), "string-gap": put(EXAMPLE, CHANGES + 12, "I", 2),
    "string-unnamed": put(EXAMPLE, 80, "I", 13) + b"x", "strings-shorter": put(EXAMPLE, 80, "I", 11),
    # Order and uses.
    "not-sorted": delta(change(ADD, "b"), change(ADD, "a")), "operations-not-sorted": delta(change(RENAME, "a", "b"), change(REMOVE, "a")),
    "name-twice": delta(change(ADD, "a"), change(ADD, "a")), "name-made-twice": delta(change(ADD, "a"), change(MODIFY, "a", pieces=PIECE)),
    "remove-twice": delta(change(REMOVE, "a"), change(REMOVE, "a")), "remove-and-add": delta(change(ADD, "a"), change(REMOVE, "a")),
    "taken-twice": delta(change(RENAME, "a", "c"), change(RENAME, "b", "c")),
    "taken-and-removed": delta(change(RENAME, "b", "c"), change(REMOVE, "c")),
    "taken-and-modified": delta(change(RENAME, "b", "c"), change(MODIFY, "c", pieces=PIECE)),
    "taken-by-convert-and-low-rank": delta(change(CONVERT, "a", "c"), change(LOW_RANK, "b", "c")),
    # Fields.
    "base-none": delta(base=NONE), "result-none": delta(result=NONE), "segment-none": delta(segments=[NONE]),
    "reserved": one(ADD, "a", reserved=1), "reserved-last": one(ADD, "a", reserved=1 << 16), "convert-reserved": one(CONVERT, "a", how=(BF16, 7, 1)),
    "convert-reserved-last": one(CONVERT, "a", how=(BF16, 7, 1 << 48)), "low-rank-reserved": one(LOW_RANK, "a", how=(B, A, 0.5, 1)),
    "low-rank-b-none": one(LOW_RANK, "a", how=(NONE, A, 0.5)), "low-rank-a-none": one(LOW_RANK, "a", how=(B, NONE, 0.5)),
    "scale-infinite": one(LOW_RANK, "a", how=(B, A, float("-inf"))), "scale-nan": one(LOW_RANK, "a", how=(B, A, float("nan"))),
    "segments-more": put(FEW, 72, "I", 2), "segments-fewer": put(FEW, 72, "I", 0), "segments-huge": put(FEW, 72, "I", 2**32 - 1),
    "changes-more": put(FEW, 76, "I", 3), "changes-fewer": put(FEW, 76, "I", 1), "changes-huge": put(FEW, 76, "I", 2**32 - 1),
    "strings-huge": put(FEW, 80, "I", 2**32 - 1), "conversion-missing": one(CONVERT, "a")[:-1 - 16] + b"a",
    "conversion-of-no-change": put(FEW, CHANGES, "B", MODIFY), "factors-missing": one(LOW_RANK, "a")[:-1 - 72] + b"a",
    "factors-of-no-change": put(one(LOW_RANK, "a", pieces=PIECE), CHANGES, "B", MODIFY),
}
UNSUPPORTED = {
    "version-0": delta(version=0), "version-2": delta(version=2), "kind-1": delta(kind=1), "operation-0": put(EXAMPLE, CHANGES, "B", 0),
    "operation-7": put(EXAMPLE, CHANGES, "B", 7), "convert-dtype-0": one(CONVERT, "a", how=(0, 7)),
    "convert-dtype-23": one(CONVERT, "a", how=(23, 7)),
}
INVALID = with_ends({"delta": EXAMPLE}, {"delta": INVALID})["delta"]
