#!/usr/bin/env python3
"""One peer on one pair of checkpoints, as one JSON object: bytes, CPU nanoseconds of each round; every round trip is checked.

    peers.py NAME BASE TASK ROUNDS     with NAME from the table PEERS
    peers.py --versions                what is installed, as JSON

Each gets the data of all tensors as one buffer (or file), which is the best case for it. Runs in the peers' own environment.
"""
import importlib.metadata
import json
import pathlib
import resource
import subprocess
import sys
import tempfile

import numpy

import tensors


def zstd_level(level):
    def encode(base, task, dtype):
        import zstandard
        return zstandard.ZstdCompressor(level=level).compress(task.tobytes())

    def decode(base, blob, dtype):
        import zstandard
        return zstandard.ZstdDecompressor().decompress(blob)
    return encode, decode


def xor_zstd(base, task, dtype):
    import zstandard
    return zstandard.ZstdCompressor(level=3).compress((base ^ task).tobytes())


def xor_zstd_back(base, blob, dtype):
    import zstandard
    return (numpy.frombuffer(zstandard.ZstdDecompressor().decompress(blob), numpy.uint8) ^ base).tobytes()


def bitx(base, task, dtype):
    """BitX's layout: the exponents of the exclusive or in one stream, sign and mantissa (byte by byte) in another, zstd-3 each."""
    import zstandard
    mantissa, exponent = tensors.EXPONENT[dtype]
    unit = tensors.DTYPES[dtype]
    mixed = (base ^ task).view(unit)
    exponents = ((mixed >> mantissa) & ((1 << exponent) - 1)).astype(numpy.uint8)
    rest = (mixed & ((1 << mantissa) - 1)) | (mixed >> (8 * unit.itemsize - 1) << mantissa)
    width = {8: 1, 11: 2, 24: 3}[1 + mantissa]
    packed = rest.view(numpy.uint8).reshape(-1, unit.itemsize)[:, :width].T
    return [zstandard.ZstdCompressor(level=3).compress(part.tobytes()) for part in (exponents, packed)]


def bitx_back(base, blob, dtype):
    import zstandard
    mantissa, _ = tensors.EXPONENT[dtype]
    unit = tensors.DTYPES[dtype]
    exponents, packed = (numpy.frombuffer(zstandard.ZstdDecompressor().decompress(part), numpy.uint8) for part in blob)
    width = {8: 1, 11: 2, 24: 3}[1 + mantissa]
    rest = numpy.zeros((exponents.size, unit.itemsize), numpy.uint8)
    rest[:, :width] = packed.reshape(width, -1).T
    rest = rest.reshape(-1).view(unit)
    mixed = (rest & ((1 << mantissa) - 1)) | (exponents.astype(unit) << mantissa) | (rest >> mantissa << (8 * unit.itemsize - 1))
    return (mixed.view(numpy.uint8) ^ base).tobytes()


def zipnn(delta):
    def make(dtype):
        from zipnn import ZipNN
        name = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[dtype]
        return ZipNN(input_format="byte", bytearray_dtype=name, threads=1, **({"delta_compressed_type": "byte"} if delta else {}))

    def extra(base):
        return {"delta_second_data": bytearray(base)} if delta else {}

    def encode(base, task, dtype):  # compress() changes its input in place: it gets a copy
        return bytes(make(dtype).compress(bytearray(task), **extra(base)))

    def decode(base, blob, dtype):
        return bytes(make(dtype).decompress(bytearray(blob), **extra(base)))
    return encode, decode


def pco(base, task, dtype):
    """pco on the difference of the ordered integers, as signed integers."""
    from pcodec import ChunkConfig, standalone
    unit = tensors.DTYPES[dtype]
    difference = (tensors.ordered(task.view(unit)) - tensors.ordered(base.view(unit))).view(f"<i{unit.itemsize}")
    return standalone.simple_compress(difference, ChunkConfig())


def pco_back(base, blob, dtype):
    from pcodec import standalone
    unit = tensors.DTYPES[dtype]
    difference = standalone.simple_decompress(blob).view(unit)
    return tensors.unordered(tensors.ordered(base.view(unit)) + difference).tobytes()


def z4ai(base, task, dtype):
    import z4ai as package
    name = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}[dtype]
    return package.compress_delta(task.tobytes(), reference=base.tobytes(), dtype=name, threads=1)


def z4ai_back(base, blob, dtype):
    import z4ai as package
    return package.decompress_delta(blob, reference=base.tobytes())


def program(encode_words, decode_words):
    """A programme that reads and writes files: {base}, {task}, {delta}, {out} are paths. Writing the inputs is not its work: prepare()."""
    scratch = tempfile.TemporaryDirectory(prefix="dstore-bench-")
    paths = {name: pathlib.Path(scratch.name) / name for name in ("base", "task", "delta", "out")}

    def run(words):
        subprocess.run([word.format(**paths) for word in words], check=True, stdout=subprocess.DEVNULL)

    def prepare(base, task):
        base.tofile(paths["base"])
        task.tofile(paths["task"])

    def encode(base, task, dtype):
        run(encode_words)
        return paths["delta"].read_bytes()

    def decode(base, blob, dtype):
        run(decode_words)
        return paths["out"].read_bytes()
    encode.prepare, encode.scratch = prepare, scratch
    return encode, decode


def zstd_patch():
    return program(["zstd", "-q", "-f", "-3", "--long=31", "--patch-from={base}", "{task}", "-o", "{delta}"],
                   ["zstd", "-q", "-f", "-d", "--long=31", "--patch-from={base}", "{delta}", "-o", "{out}"])


def xdelta():
    return program(["xdelta3", "-q", "-f", "-e", "-B", "2147483648", "-s", "{base}", "{task}", "{delta}"],
                   ["xdelta3", "-q", "-f", "-d", "-B", "2147483648", "-s", "{base}", "{delta}", "{out}"])


# name -> (Python package or programme, makes (encode, decode), slow: left out of --quick)
PEERS = {
    "zstd -3": ("zstandard", lambda: zstd_level(3), False),
    "zstd -19": ("zstandard", lambda: zstd_level(19), True),
    "XOR + zstd -3": ("zstandard", lambda: (xor_zstd, xor_zstd_back), False),
    "BitX layout + zstd -3": ("zstandard", lambda: (bitx, bitx_back), False),
    "ZipNN": ("zipnn", lambda: zipnn(False), False),
    "ZipNN delta": ("zipnn", lambda: zipnn(True), False),
    "pco of the integer difference": ("pcodec", lambda: (pco, pco_back), False),
    "z4ai delta": ("z4ai", lambda: (z4ai, z4ai_back), True),
    "zstd -3 --patch-from": ("zstd", zstd_patch, False),
    "xdelta3": ("xdelta3", xdelta, True),
}
PACKAGES = ("zipnn", "pcodec", "z4ai", "zstandard")
VERSION_OF = {"zstd": ["zstd", "--version"], "xdelta3": ["xdelta3", "-V"]}


def version(needed):
    """Text, or None where it is not there."""
    try:
        if needed in PACKAGES:
            return importlib.metadata.version(needed)
        done = subprocess.run(VERSION_OF[needed], capture_output=True, text=True)
        return next(word.strip("v,") for word in (done.stdout + done.stderr).split() if word.strip("v,")[:1].isdigit())
    except (importlib.metadata.PackageNotFoundError, OSError, StopIteration):
        return None


def cpu():
    """Nanoseconds of this process and its children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(1e9 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime))


def measure(name, base_file, task_file, rounds):
    dtype = tensors.read(base_file)[1]
    base, task = (numpy.array(tensors.data_bytes(path)) for path in (base_file, task_file))
    encode, decode = PEERS[name][1]()
    if hasattr(encode, "prepare"):
        encode.prepare(base, task)
    else:
        encode(base[:1 << 16], task[:1 << 16], dtype)  # imports
    result = {"encode": [], "decode": []}
    for _ in range(rounds):
        start = cpu()
        blob = encode(base, task, dtype)
        result["encode"].append(cpu() - start)
        start = cpu()
        back = decode(base, blob, dtype)
        result["decode"].append(cpu() - start)
        if back != task.tobytes():
            raise SystemExit(f"peers: {name} did not give {task_file} back")
    result["bytes"] = sum(map(len, blob)) if isinstance(blob, list) else len(blob)
    return result


def main():
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps({needed: version(needed) for needed in [*PACKAGES, *VERSION_OF]}))
        return
    name, base, task, rounds = sys.argv[1:]
    print(json.dumps(measure(name, base, task, int(rounds))))


if __name__ == "__main__":
    main()
