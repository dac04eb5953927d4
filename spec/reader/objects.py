"""objects.md: the content of tensor, file, weights, checkpoint, delta and commit."""
import math
import re
import struct
from typing import NamedTuple, Optional

from reader.basics import (NO_ID, Corrupt, Fields, Problem, Unsupported, check_keys, check_version, id_from_text, is_count, is_text,
                           object_id, read_canonical, require)
from reader.evaluations import parse_evaluation

CHUNK = 4 << 20

# dtype code → name, bits (objects.md, tensor).
DTYPES = {1: ("BOOL", 8), 2: ("U8", 8), 3: ("I8", 8), 4: ("U16", 16), 5: ("I16", 16), 6: ("U32", 32), 7: ("I32", 32), 8: ("U64", 64),
          9: ("I64", 64), 10: ("F16", 16), 11: ("BF16", 16), 12: ("F32", 32), 13: ("F64", 64), 14: ("C64", 64), 15: ("F8_E4M3", 8),
          16: ("F8_E5M2", 8), 17: ("F8_E8M0", 8), 18: ("F8_E4M3FNUZ", 8), 19: ("F8_E5M2FNUZ", 8), 20: ("F6_E2M3", 6), 21: ("F6_E3M2", 6),
          22: ("F4", 4)}
DTYPE_CODES = {name: code for code, (name, bits) in DTYPES.items()}


# Chunks.

def chunk_sizes(size):
    return [min(CHUNK, size - at) for at in range(0, size, CHUNK)]


def chunk_count(size):
    return -(-size // CHUNK)


def read_chunks(store, chunks, size):
    """The bytes of a tensor or file."""
    parts = []
    for id, expected in zip(chunks, chunk_sizes(size)):
        part = store.read("chunk", id)
        require(len(part) == expected, f"chunk {id.hex()} has {len(part)} bytes, not {expected}")
        parts.append(part)
    return b"".join(parts)


def chunk_ids(content):
    return [object_id("chunk", content[at:at + CHUNK]) for at in range(0, len(content), CHUNK)]


# tensor.

class Tensor(NamedTuple):
    dtype: int
    shape: tuple
    chunks: list

    def size(self):
        return tensor_size(self.dtype, self.shape)


def tensor_size(dtype, shape):
    elements = 1
    for dimension in shape:
        elements *= dimension
        require(elements < 2**64, "a shape beyond 64 bits")
    bits = elements * DTYPES[dtype][1]
    require(bits < 2**64, "a tensor beyond 64 bits")
    require(bits % 8 == 0, "a tensor that is no whole number of bytes")
    return bits // 8


def parse_tensor(content):
    fields = Fields(content)
    fields.version(1)
    dtype, rank = fields.u8(), fields.u8()
    if dtype not in DTYPES:
        raise Unsupported(f"dtype code {dtype}")
    require(rank <= 64, "a rank above 64")
    fields.expect(b"\0", "reserved field")
    shape = tuple(fields.u64() for _ in range(rank))
    count = chunk_count(tensor_size(dtype, shape))
    require(count <= len(content) // 32, "too few chunks")
    chunks = [fields.id() for _ in range(count)]
    fields.end()
    return Tensor(dtype, shape, chunks)


def tensor_content(tensor):
    head = struct.pack(f"<4B{len(tensor.shape)}Q", 1, tensor.dtype, len(tensor.shape), 0, *tensor.shape)
    return head + b"".join(tensor.chunks)


# file.

def parse_file(content):
    fields = Fields(content)
    size = fields.u64()
    require(chunk_count(size) <= len(content) // 32, "too few chunks")
    chunks = [fields.id() for _ in range(chunk_count(size))]
    fields.end()
    return size, chunks


def read_file(store, id):
    size, chunks = parse_file(store.read("file", id))
    return read_chunks(store, chunks, size)


# Tables and names.

class Table:
    """The records of a table, and the string table that they name in their own order."""

    def __init__(self, fields, record_bytes, string_bytes):
        self.records = Fields(fields.take(record_bytes))
        self.strings = Fields(fields.take(string_bytes))
        fields.end()

    def name(self):
        offset, length = self.records.u32(), self.records.u32()
        require(offset == self.strings.at, "a name that does not begin where the one before ends")
        require(length <= 4096, "a name that is too long")
        try:
            return self.strings.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise Corrupt("a name that is not UTF-8") from None

    def end(self):
        self.records.end()
        self.strings.end()


def by_bytes(names):
    return [name.encode() for name in names]


def strictly_sorted(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


def check_tensor_name(name):
    require(1 <= len(name.encode()) <= 1024 and not re.search("[\x00-\x1f\x7f]", name) and name != "__metadata__",
            f"{name!a} is no tensor name")


def check_path(path):
    fine = 1 <= len(path.encode()) <= 4096 and not re.search(r"[\x00-\x1f\x7f\\]", path)
    for part in path.split("/"):
        lower = part.translate({c: c + 32 for c in range(ord("A"), ord("Z") + 1)})
        fine = fine and 1 <= len(part.encode()) <= 255 and lower not in (".", "..", ".git", ".dstore") and not lower.startswith(".dstore-")
    require(fine, f"{path!a} is no path that may be used")


# weights.

def parse_weights(content):
    """{name: tensor id}, sorted by name."""
    fields = Fields(content)
    fields.version(4)
    count, string_bytes = fields.u32(), fields.u32()
    table = Table(fields, 40 * count, string_bytes)
    rows = [(table.name(), table.records.id()) for _ in range(count)]
    table.end()
    for name, _ in rows:
        check_tensor_name(name)
    require(strictly_sorted(by_bytes(name for name, _ in rows)), "names that are not sorted")
    return dict(rows)


def weights_content(weights):
    names = sorted(weights, key=str.encode)
    records, strings = b"", b""
    for name in names:
        records += struct.pack("<II", len(strings), len(name.encode())) + weights[name]
        strings += name.encode()
    return struct.pack("<III", 1, len(names), len(strings)) + records + strings


# checkpoint.

class Shard(NamedTuple):
    path: str
    header: bytes
    size: int
    sha256: bytes


class Checkpoint(NamedTuple):
    weights: bytes
    shards: list
    files: list  # (path, id)


def parse_checkpoint(content):
    fields = Fields(content)
    fields.version(4)
    shard_count, file_count, string_bytes = fields.u32(), fields.u32(), fields.u32()
    weights = fields.id()
    table = Table(fields, 80 * shard_count + 40 * file_count, string_bytes)
    shards = [Shard(table.name(), table.records.id(), table.records.u64(), table.records.id()) for _ in range(shard_count)]
    files = [(table.name(), table.records.id()) for _ in range(file_count)]
    table.end()
    for paths in ([shard.path for shard in shards], [path for path, _ in files]):
        for path in paths:
            check_path(path)
        require(strictly_sorted(by_bytes(paths)), "paths that are not sorted")
    check_no_clash([shard.path for shard in shards] + [path for path, _ in files])
    return Checkpoint(weights, shards, files)


def check_no_clash(paths):
    """No path occurs twice, none is a folder of another."""
    taken = set(paths)
    require(len(taken) == len(paths), "a path that occurs twice")
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]
            require(path not in taken, f"{path!a} is a file and a folder")


# delta.

ADD, REMOVE, RENAME, MODIFY, CONVERT, LOW_RANK = 1, 2, 3, 4, 5, 6
DERIVED = (MODIFY, CONVERT, LOW_RANK)


class Conversion(NamedTuple):
    dtype: int
    rows: int


class Factors(NamedTuple):
    b: bytes
    a: bytes
    scale: float


class Change(NamedTuple):
    operation: int
    name: str
    base_name: str
    segment: int
    piece: int
    pieces: int
    tensor: bytes
    how: object = None  # Conversion, Factors

    def taken(self):
        """The base's tensor that this change takes, for all but add."""
        return self.base_name or self.name


class Delta(NamedTuple):
    base: bytes
    result: bytes
    segments: list
    changes: list


def parse_delta(content):
    fields = Fields(content)
    fields.version(4)
    delta_kind = fields.u32()
    if delta_kind != 0:
        raise Unsupported(f"delta kind {delta_kind}")
    base, result = fields.id(), fields.id()
    segment_count, change_count, string_bytes = fields.u32(), fields.u32(), fields.u32()
    require(32 * segment_count <= len(content), "more segments than bytes")
    segments = [fields.id() for _ in range(segment_count)]
    require(64 * change_count <= len(content), "more changes than bytes")
    operations = content[fields.at:fields.at + 64 * change_count:64]
    conversion_bytes, factor_bytes = 16 * operations.count(CONVERT), 72 * operations.count(LOW_RANK)
    table = Table(fields, 64 * change_count + conversion_bytes + factor_bytes, string_bytes)
    changes = [parse_change(table, segment_count) for _ in range(change_count)]
    conversions = [parse_conversion(table.records) for change in changes if change.operation == CONVERT]
    factors = [parse_factors(table.records) for change in changes if change.operation == LOW_RANK]
    table.end()
    how = {CONVERT: iter(conversions), LOW_RANK: iter(factors)}
    changes = [change._replace(how=next(how[change.operation])) if change.operation in how else change for change in changes]
    check_changes(changes)
    return Delta(base, result, segments, changes)


def parse_change(table, segment_count):
    records = table.records
    operation = records.u8()
    records.expect(bytes(3), "reserved field")
    name, base_name = table.name(), table.name()
    change = Change(operation, name, base_name, records.u32(), records.u32(), records.u32(), records.id(none_is_legal=True))
    if operation not in (ADD, REMOVE, RENAME, *DERIVED):
        raise Unsupported(f"operation {operation}")
    check_tensor_name(name)
    if base_name:
        check_tensor_name(base_name)
    require(base_name != name, "a base name that is the name")
    require(operation in DERIVED or bool(base_name) == (operation == RENAME), f"base name of {name!a}")
    if operation == MODIFY or operation in DERIVED and change.pieces > 0:
        require(change.segment < segment_count and change.pieces >= 1, f"pieces of {name!a}")
    else:
        require((change.segment, change.piece, change.pieces) == (0, 0, 0), f"pieces of {name!a}")
    require((change.tensor == NO_ID) == (operation in (REMOVE, RENAME)), f"tensor id of {name!a}")
    return change


def parse_conversion(records):
    dtype = records.u8()
    if dtype not in DTYPES:
        raise Unsupported(f"dtype code {dtype}")
    records.expect(bytes(7), "reserved field")
    return Conversion(dtype, records.u64())


def parse_factors(records):
    b, a = records.id(), records.id()
    (scale,) = struct.unpack("<f", records.take(4))
    require(math.isfinite(scale), "a scale that is not finite")
    records.expect(bytes(4), "reserved field")
    return Factors(b, a, scale)


def check_changes(changes):
    require(strictly_sorted([(change.name.encode(), change.operation) for change in changes]), "changes that are not sorted")
    made = [change.name for change in changes if change.operation != REMOVE]
    taken = [change.taken() for change in changes if change.operation != ADD]
    added = {change.name for change in changes if change.operation == ADD}
    require(len(set(made)) == len(made), "two changes make one tensor")
    require(len(set(taken)) == len(taken), "two changes take one tensor of the base")
    require(not any(change.operation == REMOVE and change.name in added for change in changes), "a remove and an add of one name")


def apply_to_table(delta, base):
    """objects.md, Applying: the result's {name: tensor id}, and {name: the base's name} of what comes from there."""
    result, origin, left = {}, {}, dict(base)
    for change in delta.changes:
        if change.operation == ADD:
            continue
        old = change.taken()
        require(old in base, f"takes the tensor {old!a}, which the base does not have")
        del left[old]
        if change.operation != REMOVE:
            result[change.name] = base[old] if change.operation == RENAME else change.tensor
            origin[change.name] = old
    for change in delta.changes:
        if change.operation == ADD:
            result[change.name] = change.tensor
            left.pop(change.name, None)
    for name, id in left.items():
        require(name not in result, f"the result has two tensors {name!a}")
        result[name], origin[name] = id, name
    require(object_id("weights", weights_content(result)) == delta.result, "gives other weights than its result")
    return result, origin


# commit.

class Commit(NamedTuple):
    checkpoint: bytes
    base: Optional[bytes]
    delta: Optional[bytes]
    parents: list
    derived_from: list
    message: str
    adapter: Optional[bytes] = None


def parse_commit(content):
    value = read_canonical(content)
    check_version(value, known=(1, 2) if isinstance(value, dict) and "adapter" in value else (1,))
    keys = ["author", "base", "checkpoint", "delta", "derived_from", "message", "metrics", "parents", "time", "training", "v"]
    check_keys(value, keys + ["adapter"] * (value["v"] == 2), optional=["base", "delta"])
    require(is_text(value["author"]) and is_text(value["message"]) and is_count(value["time"]), "author, message or time")
    training = value["training"]
    require(isinstance(training, dict) and all(is_text(text) for text in training.values()), "training")
    require(isinstance(value["metrics"], list), "metrics")
    for metric in value["metrics"]:
        check_keys(metric, ["data_sha256", "metric", "n", "split", "value"])
        require(type(metric["n"]) is int and all(is_text(metric[key]) for key in metric if key != "n"), "metrics")
    for key in ("parents", "derived_from"):
        require(isinstance(value[key], list), key)
    require(("base" in value) == ("delta" in value), "one of base and delta without the other")
    require("adapter" not in value or "delta" in value, "an adapter of what is no task")
    return Commit(id_from_text(value["checkpoint"], "checkpoint"),
                  id_from_text(value["base"], "base") if "base" in value else None,
                  id_from_text(value["delta"], "delta") if "delta" in value else None,
                  [id_from_text(text, "parent") for text in value["parents"]],
                  [id_from_text(text, "derived_from") for text in value["derived_from"]], value["message"],
                  id_from_text(value["adapter"], "adapter") if "adapter" in value else None)


def read_object(store, kind, id):
    """A parsed object; the problem of a broken one names it."""
    content = store.read(kind, id)
    try:
        return PARSERS[kind](content)
    except Problem as error:
        raise type(error)(f"{kind} {id.hex()}: {error}") from None


PARSERS = {"tensor": parse_tensor, "file": parse_file, "weights": parse_weights, "checkpoint": parse_checkpoint, "delta": parse_delta,
           "commit": parse_commit, "evaluation": parse_evaluation}
