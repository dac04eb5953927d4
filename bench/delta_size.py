#!/usr/bin/env python3
"""Bytes of a sparse delta against the full file, COO and the entropy bound. See bench/README.md. Needs numpy and safetensors."""
import argparse
import json
import math
import os
import pathlib
import shutil
import tempfile

import numpy
from safetensors.numpy import load_file, save_file

import machine


def float_tensors(tensors):
    return sorted(name for name, value in tensors.items() if value.dtype == numpy.float32)


def sparse_copy(tensors, density, seed):
    """The tensors with exactly floor(density * N) floats changed: uniform positions, normal steps of 1e-2."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    names = float_tensors(tensors)
    sizes = [tensors[name].size for name in names]
    total = sum(sizes)
    chosen = numpy.sort(random.choice(total, int(density * total), replace=False))
    changed, start = dict(tensors), 0
    for name, size in zip(names, sizes):
        inside = chosen[(chosen >= start) & (chosen < start + size)] - start
        flat = tensors[name].flatten()
        flat[inside] += random.normal(0, 1e-2, inside.size).astype(numpy.float32)
        changed[name] = flat.reshape(tensors[name].shape)
        start += size
    return changed


def changes(base, task):
    """{name: (elements, changed positions, new values)} of the float tensors both have, compared bit by bit."""
    found = {}
    for name in float_tensors(base):
        if name in task:
            old, new = base[name].reshape(-1), task[name].reshape(-1)
            where = numpy.flatnonzero(old.view(numpy.uint32) != new.view(numpy.uint32))
            found[name] = (old.size, where, new[where])
    return found


def position_bits(n, k):
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)


def coo_bytes(found, scratch):
    parts = {}
    for name, (_, where, values) in found.items():
        if where.size:
            parts[name + ".indices"], parts[name + ".values"] = where.astype(numpy.int64), values
    save_file(parts, scratch / "coo.safetensors")
    return (scratch / "coo.safetensors").stat().st_size


def report(title, base_file, task_file, stored, scratch, note):
    found = changes(load_file(base_file), without_prefix(load_file(task_file)))
    count = sum(where.size for _, where, _ in found.values())
    total = sum(n for n, _, _ in found.values())
    positions = sum(position_bits(n, where.size) for n, where, _ in found.values()) / 8
    full = task_file.stat().st_size
    rows = [["full file", full], ["COO: int64 position, fp32 value", coo_bytes(found, scratch)],
            ["entropy bound of positions + fp32 values", math.ceil(positions) + 4 * count],
            ["dstore" + note, stored]]
    machine.table(f"{title}: {count} of {total} values changed ({100 * count / total:.3f} %)",
                  ["", "bytes", "per change", "dstore is"],
                  [[name, f"{size:,}", f"{size / max(count, 1):.2f}", f"{100 * stored / size:.2f} %"] for name, size in rows])


def without_prefix(tensors):
    """Names as a bare encoder has them: a model with a head has bert. in front."""
    return {name.removeprefix("bert."): value for name, value in tensors.items()}


def stored_bytes(dstore, store, revision):
    return json.loads(machine.run(dstore, "-C", store, "show", revision, "--json"))["sizes"]["stored_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dstore", required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--density", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--demo", type=pathlib.Path, help="a finished demo-work/, for a trained delta")
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-bench-"))
    try:
        base_file = args.model / "model.safetensors"
        changed = scratch / "changed"
        shutil.copytree(args.model, changed, ignore=shutil.ignore_patterns("model.safetensors"))
        save_file(sparse_copy(load_file(base_file), args.density, args.seed), changed / "model.safetensors",
                  metadata={"format": "pt"})
        store = scratch / "store"
        machine.run(args.dstore, "init", store)
        machine.run(args.dstore, "-C", store, "import", args.model, "--name", "base", "-m", "base")
        machine.run(args.dstore, "-C", store, "commit", changed, "--base", "base", "--name", "task", "-m", "0.5 %")
        report("A random change (numpy, fixed seed)", base_file, changed / "model.safetensors",
               stored_bytes(args.dstore, store, "task"), scratch, "")
        if args.demo and (args.demo / ".dstore/refs/noun-topic").is_dir():
            os.environ["DSTORE_CONFIG_HOME"] = str(args.demo / "user1")  # its key signed the demo's commits
            out = scratch / "noun"
            machine.run(args.dstore, "-C", args.demo, "checkout", "minilm+noun-topic", "-o", out, "--single-file")
            report("noun-topic, trained by the demo", base_file, out / "model.safetensors",
                   stored_bytes(args.dstore, args.demo, "noun-topic"), scratch, " (head, label map and commit included)")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
