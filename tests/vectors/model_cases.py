"""Revisions, each from packs of its own: a base and a task on it. Built from spec/objects.md (Applying, checkpoint) and repository.md alone."""
import hashlib
import json
import struct

import by_hand
import delta_cases
import header_cases
import table_cases
from delta_cases import ADD, CONVERT, LOW_RANK, MODIFY, REMOVE, RENAME, change
from pack_cases import pack, record
from reader.basics import KINDS, object_id
from table_cases import BF16, F16, F32, I8, U8, Names
from text_cases import BASE, text

CODES = {name: code for code, name in KINDS.items()}
DTYPES = {U8: ("U8", 1), I8: ("I8", 1), F16: ("F16", 2), BF16: ("BF16", 2), F32: ("F32", 4)}


class Store:
    """The objects of a pack, each once, before what names it."""

    def __init__(self):
        self.objects = {}

    def add(self, kind, content):
        id = object_id(kind, content)
        self.objects.setdefault(id, record(CODES[kind], content))
        return id

    def pack(self, besides=None):
        return pack([each for id, each in self.objects.items() if besides is None or id not in besides.objects])[0]

    def tensor(self, dtype, shape, content):
        return self.add("tensor", table_cases.tensor(dtype, shape, [self.add("chunk", content)] if content else []))

    def file(self, content):
        return self.add("file", table_cases.file(len(content), [self.add("chunk", content)]))

    def weights(self, tensors):
        return self.add("weights", table_cases.weights(sorted((name, self.tensor(*tensor)) for name, tensor in tensors.items())))


def tensor_id(dtype, shape, content):
    return Store().tensor(dtype, shape, content)


def weights_id(tensors):
    return Store().weights(tensors)


def header(tensors):
    """A safetensors header for tensors {name: (dtype, shape, bytes)} in their order."""
    rows, at = {}, 0
    for name, (dtype, shape, content) in tensors.items():
        rows[name] = {"dtype": DTYPES[dtype][0], "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    return header_cases.padded(json.dumps(rows, separators=(",", ":")).encode())


def shard(tensors):
    return header(tensors) + b"".join(content for _, _, content in tensors.values())


def commit_of(store, tensors, weights, head=None, size=None, sha256=None, task=None):
    """Adds a commit of these tensors in model.safetensors. `head`, `size`, `sha256`: what the checkpoint says instead."""
    head = header(tensors) if head is None else head
    content = head + shard(tensors)[len(header(tensors)):]
    names = Names()
    rows = names.add("model.safetensors") + store.file(head) + struct.pack("<Q", len(content) if size is None else size)
    rows += hashlib.sha256(content).digest() if sha256 is None else sha256
    checkpoint = store.add("checkpoint", struct.pack("<4I", 1, 1, 0, len(names.text)) + weights + rows + names.text)
    members = {"author": "", "message": "", "checkpoint": checkpoint.hex(), **({key: id.hex() for key, id in task.items()} if task else {})}
    return store.add("commit", text({**BASE, **members}))


def f32(*values):
    return struct.pack(f"<{len(values)}f", *values)


TENSORS = {"b": (U8, [8], bytes(range(8))), "h": (F16, [], struct.pack("<e", 1.5)), "m": (F32, [2, 2], f32(1.5, -2.25, 0.001, 100)),
           "u": (U8, [0], b""), "v": (F32, [2], f32(1, 2))}
BASE_STORE = Store()
BASE_WEIGHTS = BASE_STORE.weights(TENSORS)
BASE_COMMIT = commit_of(BASE_STORE, TENSORS, BASE_WEIGHTS)
BASE_PACK = BASE_STORE.pack()


def piece(dtype, old, new, first=0):
    """A segment of one piece, all units of which are stored raw."""
    width = DTYPES[dtype][1]
    changed = sum(old[at:at + width] != new[at:at + width] for at in range(0, len(new), width))
    whole = by_hand.segment(dtype, 16, len(new) // width, changed, [by_hand.block(1, 0, by_hand.RAW, 0, changed, old, new, new)])
    return by_hand.seal(table_cases.put(whole[:-8], 12 + 8, "Q", first))


def task(result, *changes, segments=(), base=None, named=None, made=None, stored=(), **checkpoint):
    """(revision, pack) of a task with these changes. `result`: its tensors. `named`: the weights that the delta names, if not those of the
    result; `made`: those of the checkpoint; `stored`: further tensors, for add and factors."""
    store = Store()
    for each in stored:
        store.tensor(*each)
    weights = weights_id(result) if named is None else named
    ids = [store.add("segment", segment) for segment in segments]
    delta = store.add("delta", delta_cases.delta(*changes, segments=ids, base=BASE_WEIGHTS if base is None else base, result=weights))
    commit = commit_of(store, result, weights if made is None else made, task={"base": BASE_COMMIT, "delta": delta}, **checkpoint)
    return commit.hex(), store.pack(besides=BASE_STORE)


def with_tensors(**tensors):
    return {name: tensor for name, tensor in sorted({**TENSORS, **tensors}.items()) if tensor}


# The results.

B_OLD, B_NEW = TENSORS["b"][2], bytes([9, 1, 2, 3, 4, 5, 6, 7])
MODIFIED = with_tensors(b=(U8, [8], B_NEW))
MODIFY_B = change(MODIFY, "b", pieces=(0, 0, 1), tensor=tensor_id(*MODIFIED["b"]))
SEGMENT_B = piece(U8, B_OLD, B_NEW)
B_FACTOR = (F32, [2, 2], bytes.fromhex("cdcccc3dcdcc4c3e9a99993e333333bf"))
A_FACTOR = (F32, [2, 2], bytes.fromhex("abaaaa3e000040400ad7a33b00401cc6"))
SCALE = struct.unpack("<f", bytes.fromhex("9a99993e"))[0]
ADAPTED = with_tensors(m=(F32, [2, 2], bytes.fromhex("8351c13f3e8a16c4b659f53c52840945")))  # the example of objects.md


def adapt(b=B_FACTOR, a=A_FACTOR, scale=SCALE, name="m", result=ADAPTED, pieces=delta_cases.NO_PIECES, tensor=None):
    how = tensor_id(*b), tensor_id(*a), scale
    return change(LOW_RANK, name, pieces=pieces, how=how, tensor=tensor_id(*result[name]) if tensor is None else tensor)


def convert(name, dtype, rows, result, pieces=delta_cases.NO_PIECES):
    return change(CONVERT, name, how=(dtype, rows), pieces=pieces, tensor=tensor_id(*result[name]))


NEW = (F32, [1], f32(7))
SHRUNK = (F32, [1], TENSORS["v"][2][:4])
EVERYTHING = {"m": ADAPTED["m"], "n": NEW, "v": SHRUNK, "x": MODIFIED["b"]}
SWAPPED = {**TENSORS, "b": NEW, "h": TENSORS["m"], "m": TENSORS["h"]}
GROWN = (F32, [3], TENSORS["v"][2] + bytes(4))
CONVERTED = with_tensors(m=(BF16, [2, 2], bytes.fromhex("c03f10c0833ac842")), h=(F32, [], f32(1.5)), v=(F32, [3], f32(1, 3, 0)))
ADAPTED_NEW = with_tensors(m=(F32, [2, 2], ADAPTED["m"][2][:12] + f32(5)))

VALID = {
    "modified": (*task(MODIFIED, MODIFY_B, segments=[SEGMENT_B]), MODIFIED),
    "many-operations": (*task(EVERYTHING, change(REMOVE, "h"), adapt(), change(ADD, "n", tensor=tensor_id(*NEW)), change(REMOVE, "u"),
                              convert("v", F32, 1, EVERYTHING), change(MODIFY, "x", "b", (0, 0, 1), tensor_id(*MODIFIED["b"])),
                              segments=[SEGMENT_B], stored=[B_FACTOR, A_FACTOR, NEW]), EVERYTHING),
    "replaced-and-swapped": (*task(SWAPPED, change(ADD, "b", tensor=tensor_id(*NEW)), change(RENAME, "h", "m"), change(RENAME, "m", "h"),
                                   stored=[NEW]), SWAPPED),
    "converted": (*task(CONVERTED, convert("h", F32, 1, CONVERTED), convert("m", BF16, 2, CONVERTED), convert("v", F32, 3, CONVERTED, (0, 0, 1)),
                        segments=[piece(F32, GROWN[2], CONVERTED["v"][2])]), CONVERTED),
    "low-rank-and-pieces": (*task(ADAPTED_NEW, adapt(result=ADAPTED_NEW, pieces=(0, 0, 1)), stored=[B_FACTOR, A_FACTOR],
                                  segments=[piece(F32, ADAPTED["m"][2], ADAPTED_NEW["m"][2])]), ADAPTED_NEW),
}

SOME_ID = table_cases.number(1)
WIDE, FLOATS = with_tensors(h=(F32, [], f32(1.5))), with_tensors(b=(F32, [8], bytes(32)))
M, COLUMN, BYTES = TENSORS["m"], (F32, [2, 1], f32(1, 2)), (U8, [2, 2], bytes(4))
INFINITE, ZERO = (F32, [2, 1], f32(float("inf"), 0)), (F32, [1, 2], bytes(8))
NO_RANK_B, NO_RANK_A = (F32, [2, 0], b""), (F32, [0, 2], b"")
OTHER_B = piece(U8, B_OLD, bytes([9, 1, 2, 3, 4, 5, 6, 8]))
SHARD = shard(TENSORS)


def refused_factors(b, a, name="m"):
    return task(TENSORS, adapt(b, a, name=name, tensor=tensor_id(*ADAPTED["m"])), stored=[b, a], named=weights_id({**TENSORS, name: ADAPTED["m"]}))

INVALID = {
    # Applying.
    "takes-what-is-not-there": task(with_tensors(h=None), change(REMOVE, "h"), change(REMOVE, "i")),
    "two-of-a-name": task(TENSORS, change(RENAME, "b", "h")),
    "other-result": task(with_tensors(h=None), change(REMOVE, "b")),
    "other-checkpoint": task(MODIFIED, MODIFY_B, segments=[SEGMENT_B], made=BASE_WEIGHTS),
    "other-tensor": task(MODIFIED, MODIFY_B, segments=[OTHER_B]),
    "piece-of-other-dtype": task(MODIFIED, MODIFY_B, segments=[piece(I8, B_OLD, B_NEW)]),
    "piece-shorter": task(MODIFIED, MODIFY_B, segments=[piece(U8, B_OLD[:7], B_NEW[:7])]),
    "piece-beyond-tensor": task(MODIFIED, MODIFY_B, segments=[piece(U8, B_OLD, B_NEW, first=1 << 24)]),
    "second-piece-missing": task(MODIFIED, change(MODIFY, "b", pieces=(0, 0, 2), tensor=tensor_id(*MODIFIED["b"])), segments=[SEGMENT_B]),
    "piece-again": task(MODIFIED, change(MODIFY, "b", pieces=(0, 0, 2), tensor=tensor_id(*MODIFIED["b"])), segments=[SEGMENT_B, SEGMENT_B]),
    "piece-on-other-base": task(MODIFIED, MODIFY_B, segments=[piece(U8, B_NEW, B_OLD)]),
    # convert.
    "convert-changes-nothing": task(TENSORS, convert("m", F32, 2, TENSORS)),
    "convert-scalar-to-rows": task(WIDE, convert("h", F32, 2, WIDE)),
    "convert-bytes-to-floats": task(FLOATS, convert("b", F32, 8, FLOATS)),
    # low_rank.
    "low-rank-inner-sizes": refused_factors(COLUMN, M), "low-rank-outer-sizes": refused_factors(M, COLUMN),
    "low-rank-of-bytes": refused_factors(BYTES, M), "low-rank-flat": refused_factors(TENSORS["v"], M),
    "low-rank-rank-0": refused_factors(NO_RANK_B, NO_RANK_A), "low-rank-of-a-vector": refused_factors(M, COLUMN, name="v"),
    "low-rank-on-bytes": refused_factors(M, M, name="b"), "low-rank-nan": refused_factors(INFINITE, ZERO),
    # The checkpoint's files.
    "header-other-shape": task(TENSORS, head=header({**TENSORS, "b": (U8, [4, 2], B_OLD)})),
    "header-tensor-missing": task(TENSORS, head=header(with_tensors(u=None))),
    "header-tensor-too-many": task(TENSORS, head=header(with_tensors(w=(U8, [0], b"")))),
    "header-object-longer": task(TENSORS, head=header(TENSORS) + bytes(8), size=len(SHARD), sha256=hashlib.sha256(SHARD).digest()),
    "header-size-of-shard": task(TENSORS, size=len(SHARD) + 1),
    "shard-sha-256": task(TENSORS, sha256=SOME_ID),
}
