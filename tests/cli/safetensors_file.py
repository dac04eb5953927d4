"""safetensors files from raw bytes: struct and json only, so that tests can also write wrong ones."""
import json
import pathlib
import struct

BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
        "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64}


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


class Tensor:
    """dtype, shape and little-endian bytes."""

    def __init__(self, dtype, shape, data):
        assert len(data) == elements(shape) * BITS[dtype] // 8, (dtype, shape, len(data))
        self.dtype, self.shape, self.data = dtype, list(shape), bytes(data)

    def __eq__(self, other):
        return (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)


def floats(values, shape=None):
    """An F32 tensor."""
    values = list(values)
    return Tensor("F32", [len(values)] if shape is None else shape, struct.pack(f"<{len(values)}f", *values))


def random_tensor(rng, dtype, shape):
    """Any bits: also NaN payloads, infinities and -0."""
    return Tensor(dtype, shape, rng.randbytes(elements(shape) * BITS[dtype] // 8))


def changed(rng, tensor, count):
    """The tensor with `count` elements replaced by others."""
    width = BITS[tensor.dtype] // 8
    data = bytearray(tensor.data)
    for index in rng.sample(range(len(data) // width), count):
        data[index * width] ^= rng.randrange(1, 256)
    return Tensor(tensor.dtype, tensor.shape, data)


def header_of(tensors, metadata=None):
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [at, at + len(tensor.data)]}
        at += len(tensor.data)
    return header


def join(header, data):
    """A file from a header (JSON text or bytes, or what json.dumps takes) and the bytes behind it."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
        header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def render(tensors, metadata=None):
    return join(header_of(tensors, metadata), b"".join(tensor.data for tensor in tensors.values()))


def write(path, tensors, metadata=None):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(tensors, metadata))


def read(path):
    content = pathlib.Path(path).read_bytes()
    size = struct.unpack_from("<Q", content)[0]
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    data = content[8 + size:]
    return {name: Tensor(row["dtype"], row["shape"], data[row["data_offsets"][0]:row["data_offsets"][1]])
            for name, row in header.items()}


def write_sharded(folder, shards):
    """[{name: tensor}] as model-0000i-of-0000n.safetensors with their index."""
    weight_map = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write(pathlib.Path(folder) / name, tensors, {"format": "pt"})
        weight_map.update({tensor: name for tensor in tensors})
    total = sum(len(tensor.data) for tensors in shards for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (pathlib.Path(folder) / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
