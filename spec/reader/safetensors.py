"""Headers of safetensors files: reading them, and writing them as repository.md ("Files of a revision") says."""
import json
import re
from typing import NamedTuple

from reader.basics import Unsupported, canonical_text, is_count, is_text, read_json, require
from reader.objects import DTYPE_CODES, DTYPES, check_tensor_name, tensor_size

MAX_HEADER = 100_000_008
# The order of dtypes in a file that Python's safetensors writes.
DTYPE_ORDER = ("U64 I64 F64 C64 F32 U32 I32 BF16 F16 U16 I16 F8_E5M2FNUZ F8_E4M3FNUZ F8_E8M0 F8_E4M3 F8_E5M2 I8 U8 F6_E3M2 F6_E2M3 F4 "
               "BOOL").split()
SHORT_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Entry(NamedTuple):
    name: str
    dtype: int
    shape: tuple
    begin: int
    end: int


class Header(NamedTuple):
    raw: bytes  # the length, the JSON, the padding
    value: dict  # the JSON
    metadata: dict
    entries: list  # in the order of their offsets

    def file_size(self):
        return len(self.raw) + (self.entries[-1].end if self.entries else 0)


def is_number(value):
    return is_count(value) and value < 2**63


def parse_header(raw):
    """objects.md, checkpoint: the rules of a header."""
    require(8 <= len(raw) <= MAX_HEADER, "size of a safetensors header")
    require(int.from_bytes(raw[:8], "little") == len(raw) - 8, "the length of a safetensors header is not its own")
    one_object = re.fullmatch(rb"\{[^\x00-\x08\x0b\x0c\x0e-\x1f]*\} *", raw[8:])
    require(one_object, "a safetensors header that is not one object and spaces")
    value = read_json(raw[8:])
    metadata = value.get("__metadata__", {})
    require(isinstance(metadata, dict) and all(is_text(text) for text in metadata.values()), "metadata of a safetensors header")
    entries = [parse_entry(name, row) for name, row in value.items() if name != "__metadata__"]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    at = 0
    for entry in entries:
        require(entry.begin == at, f"tensor {entry.name!a}: a hole or an overlap")
        at = entry.end
    return Header(raw, value, metadata, entries)


def parse_entry(name, row):
    check_tensor_name(name)
    require(isinstance(row, dict) and set(row) == {"dtype", "shape", "data_offsets"}, f"tensor {name!a}: keys")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    require(is_text(dtype), f"tensor {name!a}: dtype")
    if dtype not in DTYPE_CODES:
        raise Unsupported(f"tensor {name!a}: dtype {dtype!a}")
    require(isinstance(shape, list) and len(shape) <= 64 and all(map(is_number, shape)), f"tensor {name!a}: shape")
    require(isinstance(offsets, list) and len(offsets) == 2 and all(map(is_number, offsets)), f"tensor {name!a}: offsets")
    require(offsets[1] - offsets[0] == tensor_size(DTYPE_CODES[dtype], shape), f"tensor {name!a}: offsets that are not its size")
    return Entry(name, DTYPE_CODES[dtype], tuple(shape), *offsets)


def text(value):
    """JSON without white space, members in their order."""
    if isinstance(value, dict):
        return "{" + ",".join(canonical_text(key, SHORT_ESCAPES) + ":" + text(member) for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return canonical_text(value, SHORT_ESCAPES) if is_text(value) else str(value)


def write_header(value):
    json_text = text(value).encode()
    json_text += b" " * (-len(json_text) % 8)
    return parse_header(len(json_text).to_bytes(8, "little") + json_text)


def renamed_header(header, names):
    """The same header with other names for some tensors."""
    return write_header({names.get(name, name): row for name, row in header.value.items()})


def new_header(tensors, metadata):
    """A header for [(name, dtype, shape)] in this order."""
    value, at = {}, 0
    if metadata:
        value["__metadata__"] = {key: metadata[key] for key in sorted(metadata, key=str.encode)}
    for name, dtype, shape in tensors:
        size = tensor_size(dtype, shape)
        value[name] = {"dtype": DTYPES[dtype][0], "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return write_header(value)


def python_order(tensors):
    return sorted(tensors, key=lambda tensor: (DTYPE_ORDER.index(DTYPES[tensor[1]][0]), tensor[0].encode()))


def index_file(headers):
    """model.safetensors.index.json for {path: header}."""
    total = sum(entry.end - entry.begin for header in headers.values() for entry in header.entries)
    weight_map = {entry.name: path for path, header in headers.items() for entry in header.entries}
    weight_map = {name: weight_map[name] for name in sorted(weight_map, key=str.encode)}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode()
