"""Sparse changes: real top-k masks, random positions, and the bytes that other layouts take for them."""
import io
import math

import numpy

import tensors


def log2_binomial(n, k):
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)


def top_masks(base, task, dtype, density):
    """{name: positions} of the given share of all weights, those that changed most."""
    sizes = [bits.size for bits in base.values()]
    change = numpy.concatenate([numpy.abs(tensors.floats(task[name], dtype) - tensors.floats(bits, dtype)) for name, bits in base.items()])
    chosen = numpy.argpartition(change, change.size - int(density * change.size))[-int(density * change.size):]
    chosen = numpy.sort(chosen[change[chosen] > 0])
    starts = numpy.cumsum([0, *sizes])
    cuts = numpy.searchsorted(chosen, starts)
    return {name: chosen[cuts[i]:cuts[i + 1]] - starts[i] for i, name in enumerate(base)}


def task_of(base, masks, values):
    """base with values[name] at masks[name]."""
    made = {name: numpy.array(bits) for name, bits in base.items()}
    for name, where in masks.items():
        made[name][where] = values[name]
    return made


def random_values(base, masks):
    """Uniform bit patterns other than the old ones: no code can take less than their full width, so what a file holds beyond that
    is positions, headers and checksums."""
    random = numpy.random.Generator(numpy.random.Philox(7))
    found = {}
    for name, where in masks.items():
        old = base[name][where]
        new = random.integers(0, 1 << (8 * old.dtype.itemsize), where.size, dtype=old.dtype)
        found[name] = numpy.where(new == old, new ^ 1, new)
    return found


def uniform_pair(units, density, seed):
    """One fp32 tensor and a random choice of its positions."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    base = {"weight": (numpy.float32(0.05) * random.standard_normal(units, dtype=numpy.float32)).view(numpy.uint32)}
    where = numpy.sort(random.choice(units, int(density * units), replace=False, shuffle=False))
    return base, {"weight": where}


def position_bound(base, masks):
    """Bits: log2 C(n, k) of every tensor."""
    return sum(log2_binomial(base[name].size, where.size) for name, where in masks.items())


def coo(masks, values, shapes):
    """A safetensors file with the values and their int64 coordinates, one for each dimension, as torch.sparse_coo keeps them."""
    parts = {}
    for name, where in masks.items():
        if where.size:
            parts[name + ".indices"] = numpy.stack(numpy.unravel_index(where, shapes[name])).astype(numpy.int64)
            parts[name + ".values"] = values[name]
    from safetensors.numpy import save
    return len(save(parts))


def csr(masks, values, shapes):
    """Values, int32 columns and two row pointers of each tensor as one row, as git-theta keeps a sparse update, before its codec."""
    return sum(where.size * (4 + values[name].itemsize) + 8 for name, where in masks.items() if where.size)


def ltsft(masks, values, shapes):
    """A pickle of gaps (a list) and values of each tensor, as LT-SFT saves them."""
    import torch
    rows = {name: {"index_steps": numpy.diff(where, prepend=0).tolist(), "values": torch.from_numpy(values[name].view(f"<i{values[name].itemsize}"))}
            for name, where in masks.items() if where.size}
    out = io.BytesIO()
    torch.save(rows, out)
    return out.tell()


def int32(masks, values, shapes):
    return sum(where.size * (4 + values[name].itemsize) for name, where in masks.items())


def u16_gaps(masks, values, shapes):
    """16-bit gaps and values; a gap of 65,535 or more takes a full step and goes on."""
    total = 0
    for name, where in masks.items():
        gaps = numpy.diff(where, prepend=-1) - 1
        total += 2 * (where.size + int((gaps // 65535).sum())) + where.size * values[name].itemsize
    return total


LAYOUTS = {"COO (int64 + value, safetensors)": coo, "CSR (int32 + value, git-theta)": csr, "LT-SFT (pickled gaps + value)": ltsft,
           "int32 + value": int32, "u16 gaps + value": u16_gaps}
