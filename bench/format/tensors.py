"""Safetensors files as rows of unsigned integers: numpy has no bf16, and every comparison here is of bits."""
import json
import struct

import numpy

DTYPES = {"F32": numpy.dtype("<u4"), "F16": numpy.dtype("<u2"), "BF16": numpy.dtype("<u2")}
EXPONENT = {"F32": (23, 8), "F16": (10, 5), "BF16": (7, 8)}  # mantissa bits, exponent bits


def header(path):
    """(entries without metadata, where the data starts)."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        entries = json.loads(file.read(size))
    entries.pop("__metadata__", None)
    return entries, 8 + size


def read(path):
    """{name: mapped flat array of bit patterns} in the file's order, and the dtype all of them have."""
    entries, start = header(path)
    data = numpy.memmap(path, numpy.uint8, "r")
    dtypes = {entry["dtype"] for entry in entries.values()}
    if len(dtypes) != 1:
        raise SystemExit(f"bench: {path}: tensors of {sorted(dtypes)}, one dtype was expected")
    dtype = dtypes.pop()
    arrays = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"][0]):
        begin, end = entry["data_offsets"]
        arrays[name] = data[start + begin:start + end].view(DTYPES[dtype])
    return arrays, dtype


def data_bytes(path):
    """The data part of the file, one array of bytes."""
    return numpy.memmap(path, numpy.uint8, "r", offset=header(path)[1])


class Writer:
    """A file written tensor by tensor; shapes are {name: shape} in the order in which add() will be called."""

    def __init__(self, path, shapes, dtype):
        entries, at = {"__metadata__": {"format": "pt"}}, 0
        for name, shape in shapes.items():
            size = int(numpy.prod(shape)) * DTYPES[dtype].itemsize
            entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self.file = open(path, "wb")
        self.file.write(struct.pack("<Q", len(text)) + text)

    def add(self, bits):
        self.file.write(numpy.ascontiguousarray(bits).tobytes())

    def close(self):
        self.file.close()


def write(path, arrays, dtype):
    out = Writer(path, {name: bits.shape for name, bits in arrays.items()}, dtype)
    for bits in arrays.values():
        out.add(bits)
    out.close()


def floats(bits, dtype):
    if dtype == "BF16":
        return (bits.astype(numpy.uint32) << 16).view(numpy.float32)
    return bits.view(numpy.float32 if dtype == "F32" else numpy.float16).astype(numpy.float32)


def ordered(bits):
    """Integers of the same width in the order of the floats; differences of them wrap around."""
    top = bits.dtype.type(1 << (8 * bits.dtype.itemsize - 1))
    return numpy.where(bits & top, ~bits, bits | top)


def unordered(keys):
    top = keys.dtype.type(1 << (8 * keys.dtype.itemsize - 1))
    return numpy.where(keys & top, keys ^ top, ~keys)
