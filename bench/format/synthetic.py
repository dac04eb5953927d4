#!/usr/bin/env python3
"""Make Llama-shaped bf16 checkpoints of random weights, and tasks of them: OUT/base.safetensors, OUT/TASK.safetensors.

Weights are normal with a scale per tensor. Tasks: sparse-P, P % of the weights moved by 1..3 units in the last place, up or down, at
uniformly random places; low-rank, a rank-8 product added in fp32 and rounded; noise, normal noise of 1/100 of the scale everywhere.
TASK_N is another task of that kind.
A function of size, task and numpy's Philox generator; a tensor at a time in memory. A file that is there is left as it is.
"""
import argparse
import pathlib

import numpy

import tensors

# hidden, intermediate, key/value width, layers, vocabulary; embeddings tied
SIZES = {"1GB": (1536, 4096, 512, 18, 32000), "4GB": (2560, 6912, 640, 28, 32000), "tiny": (512, 1408, 128, 4, 8000)}
SPARSE = {"sparse-0.1": 0.001, "sparse-0.5": 0.005, "sparse-1": 0.01, "sparse-5": 0.05}
TASKS = [*SPARSE, "low-rank", "noise"]


def shapes(size):
    hidden, intermediate, narrow, layers, vocabulary = SIZES[size]
    found = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(layers):
        at = f"model.layers.{layer}."
        found[at + "input_layernorm.weight"] = (hidden,)
        found[at + "mlp.down_proj.weight"] = (hidden, intermediate)
        found[at + "mlp.gate_proj.weight"] = (intermediate, hidden)
        found[at + "mlp.up_proj.weight"] = (intermediate, hidden)
        found[at + "post_attention_layernorm.weight"] = (hidden,)
        found[at + "self_attn.k_proj.weight"] = (narrow, hidden)
        found[at + "self_attn.o_proj.weight"] = (hidden, hidden)
        found[at + "self_attn.q_proj.weight"] = (hidden, hidden)
        found[at + "self_attn.v_proj.weight"] = (narrow, hidden)
    found["model.norm.weight"] = (hidden,)
    return found


def to_bf16(values):
    """To nearest, ties to even; no value here is infinite or NaN."""
    bits = values.view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def scale_of(index):
    return 0.01 * 2 ** (index % 5 / 2)


def base_tensor(random, shape, index):
    return to_bf16(scale_of(index) * random.standard_normal(shape, dtype=numpy.float32))


def sparse_tensor(random, bits, density):
    flat = bits.reshape(-1).copy()
    count = random.binomial(flat.size, density)
    chosen = random.choice(flat.size, count, replace=False, shuffle=False)
    steps = (random.integers(1, 4, count, dtype=numpy.int16) * random.choice(numpy.array([-1, 1], numpy.int16), count)).view(numpy.uint16)
    flat[chosen] = tensors.unordered(tensors.ordered(flat[chosen]) + steps)
    return flat.reshape(bits.shape)


def low_rank_tensor(random, bits, scale):
    if bits.ndim < 2:
        return bits
    left = random.standard_normal((bits.shape[0], 8), dtype=numpy.float32)
    right = random.standard_normal((8, bits.shape[1]), dtype=numpy.float32)
    return to_bf16(tensors.floats(bits, "BF16") + (left @ right) * numpy.float32(scale * 0.003))


def noise_tensor(random, bits, scale):
    return to_bf16(tensors.floats(bits, "BF16") + numpy.float32(0.01 * scale) * random.standard_normal(bits.shape, dtype=numpy.float32))


def changed(task, random, bits, scale):
    kind = task.partition("_")[0]
    if kind in SPARSE:
        return sparse_tensor(random, bits, SPARSE[kind])
    return {"low-rank": low_rank_tensor, "noise": noise_tensor}[kind](random, bits, scale)


def stream(task):
    """Which of numpy's random streams a task has; 0 is the base's."""
    if task == "base":
        return 0
    kind, _, number = task.partition("_")
    return 1 + TASKS.index(kind) + 100 * int(number or 0)


def make(out, size, task):
    """The file of `task` ("base" for the base, which must be there for the others)."""
    path = out / f"{task}.safetensors"
    if path.is_file():
        return path
    out.mkdir(parents=True, exist_ok=True)
    wanted, partial = shapes(size), path.with_suffix(".partial")
    base = None if task == "base" else tensors.read(out / "base.safetensors")[0]
    writer = tensors.Writer(partial, wanted, "BF16")
    for index, (name, shape) in enumerate(wanted.items()):
        random = numpy.random.Generator(numpy.random.Philox(key=[index, stream(task)]))
        writer.add(base_tensor(random, shape, index) if base is None
                   else changed(task, random, base[name].reshape(shape), scale_of(index)))
    writer.close()
    partial.rename(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="1GB")
    args = parser.parse_args()
    for task in ["base", *TASKS]:
        print(make(args.out, args.size, task))


if __name__ == "__main__":
    main()
