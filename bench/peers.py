#!/usr/bin/env python3
"""A base and sparse tasks in dstore, restic, git and git-lfs: time and bytes of the same files. See bench/README.md. Needs numpy and safetensors."""
import argparse
import os
import pathlib
import shutil
import statistics
import tempfile

from safetensors.numpy import load_file, save_file

import keepers
import machine
from delta_size import sparse_copy

ROUNDS = 3
KEEPERS = [keepers.Plain, keepers.PlainSynced, keepers.Dstore, keepers.Restic, keepers.Git, keepers.GitLfs]


def time_steps(models, dstore, scratch):
    """{peer: {step: median seconds}}: everything anew in each round, taking turns."""
    times = {}
    for number in range(ROUNDS):
        folder = scratch / f"round{number}"
        folder.mkdir()
        for peer in keepers.make(KEEPERS, folder, dstore):
            steps = times.setdefault(peer.name, {"base": [], "task": [], "check": []})
            peer.copy(models[0])
            steps["base"].append(machine.seconds(lambda: peer.add(0)))
            peer.copy(models[1])
            steps["task"].append(machine.seconds(lambda: peer.add(1)))
            steps["check"].append(machine.seconds(peer.check))
        shutil.rmtree(folder)
    return {name: {step: statistics.median(values) for step, values in steps.items()} for name, steps in times.items()}


def print_times(models, size, dstore, scratch):
    times = time_steps(models, dstore, scratch)
    plain = times["cp + sha256"]
    rows = [[name] + [f"{1000 * steps[step]:.0f} ms ({steps[step] / plain[step]:.2f})" for step in ("base", "task", "check")] for name, steps in times.items()]
    machine.table(f"Keeping {size / 1e6:.1f} MB, then a task of 0.5 % of its weights, then reading both back (medians of {ROUNDS}, ratio to the first line)",
                  ["", "base", "task", "check of all"], rows)


def print_bytes(base, make_task, tasks, percent, dstore, scratch):
    folder = scratch / "bytes"
    folder.mkdir()
    peers = keepers.make(KEEPERS, folder, dstore)[1:]  # one kind of copy is enough
    for number in range(tasks + 1):
        model = make_task(number) if number else base
        for peer in peers:
            peer.copy(model)
            peer.add(number)
        if number:
            shutil.rmtree(model)
    full = (tasks + 1) * keepers.bytes_in(base)
    machine.table(f"Bytes of the base and {tasks} tasks at {percent} % ({full / 1e6:.0f} MB as {tasks + 1} full copies)", ["", "bytes", "smaller than copies"],
                  [[peer.name, f"{peer.size():,}", f"{full / peer.size():.1f} x"] for peer in peers])
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dstore", required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--section", choices=["times", "bytes"], help="only this part")
    parser.add_argument("--scratch", help="folder to work in (default: the system's)")
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-bench-", dir=args.scratch)).absolute()
    try:
        os.environ["DSTORE_CONFIG_HOME"] = str(scratch / "user")
        tensors = load_file(args.model / "model.safetensors")

        def write_model(name, density, seed):
            folder = scratch / name
            folder.mkdir()
            save_file(sparse_copy(tensors, density, seed) if density else tensors, folder / "model.safetensors", {"format": "pt"})
            shutil.copy(args.model / "config.json", folder)
            return folder

        base = write_model("base", 0, 0)
        size = keepers.bytes_in(base)
        if args.section != "bytes":
            print_times([base, write_model("task", 0.005, 1)], size, args.dstore, scratch)
        if args.section != "times":
            for percent in (0.5, 1):
                print_bytes(base, lambda number: write_model("task%d" % number, percent / 100, 100 + number), args.tasks, percent, args.dstore, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
