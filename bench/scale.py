#!/usr/bin/env python3
"""Large numbers: commits, objects, ref entries, tensors, and one tensor of 64 GiB. Time and memory. See bench/README.md."""
import argparse
import json
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import machine

SECTIONS = ("commits", "objects", "refs", "tensors", "sparse")


def measured(helper, *command):
    """(seconds, peak MiB) of a process; its failure is the bench's."""
    seconds, peak = machine.run(helper, "run", *command).split()
    return float(seconds), int(peak) / 1024


def row(name, times, peak=None):
    times = sorted(times)
    middle = statistics.median(times)
    text = f"{1000 * middle:.1f} ms" if middle < 10 else f"{middle:.1f} s"
    spread = f"{1000 * times[0]:.1f} .. {1000 * times[-1]:.1f} ms" if len(times) > 1 else ""
    return [name, text, spread, f"{peak:.0f} MiB" if peak else ""]


class Bench:
    def __init__(self, args, scratch):
        self.dstore, self.helper, self.rounds, self.scratch = args.dstore, args.helper, args.rounds, scratch
        self.size = args.size

    def repository(self, name):
        folder = self.scratch / name
        machine.run(self.dstore, "init", folder)
        model = self.scratch / f"{name}-model"
        write_model(model, {"a": [64, 64], "b": [64]}, 1)
        machine.run(self.dstore, "-C", folder, "import", model, "--name", "base", "-m", "base")
        write_model(model, {"a": [64, 64], "b": [64]}, 2)
        machine.run(self.dstore, "-C", folder, "commit", model, "--base", "base", "--name", "task", "-m", "task")
        return folder

    def timed(self, name, *command):
        """Median of whole processes."""
        runs = [measured(self.helper, self.dstore, *command) for _ in range(self.rounds)]
        return row(name, [seconds for seconds, _ in runs], max(peak for _, peak in runs))

    def opened(self, folder, revision, name):
        """Opening and resolving, each in a fresh process, timed inside of it and around it."""
        inside, around = [], []
        for _ in range(self.rounds):
            start = time.perf_counter()
            first, second, _ = machine.run(self.helper, "open", folder, revision).split()
            around.append(time.perf_counter() - start)
            inside.append((float(first) + float(second)) / 1000)
        return [row(name, inside), row("  with the start of its process", around)]

    def table(self, title, rows):
        machine.table(title, ["", "median", "least .. most", "peak memory"], rows)
        sys.stdout.flush()

    def commits(self):
        count, branches = self.size(10_000), 100
        folder = self.repository("commits")
        machine.run(self.helper, "commits", folder, "task", count, branches)
        store = ["-C", folder]
        rows = [self.one("the first dstore log: every commit read and verified", *store, "log", "--oneline"), self.timed("dstore log --oneline", *store, "log", "--oneline"), self.timed("dstore log", *store, "log"),
                self.timed("dstore log --graph", *store, "log", "--graph"), self.timed("dstore log --json", *store, "log", "--json"),
                self.timed("dstore log -n 10", *store, "log", "-n", "10"),
                self.timed("dstore log --method 'diff-*' --metric 'acc>=0.9' --sort -accuracy -n 10", *store, "log", "--method", "diff-*", "--metric", "acc>=0.9",
                           "--sort", "-accuracy", "-n", "10"),
                self.timed("dstore log --group-by task", *store, "log", "--group-by", "task"),
                self.timed("dstore query, commits by method", *store, "query", "SELECT method, count(*), max(value) FROM commits GROUP BY method"),
                self.timed("dstore --version (starting a process)", "--version")]
        self.table(f"{count:,} signed commits on {branches} branches", rows)

    def objects(self):
        count, packs = self.size(1_000_000), self.size(1_000)
        folder = self.repository("objects")
        seconds, peak = measured(self.helper, self.helper, "objects", folder, count, packs)
        rows = [row(f"writing {count:,} objects in {packs:,} sessions", [seconds], peak)]
        rows += self.opened(folder, "task", "opening the repository and resolving a branch")
        rows.append(self.timed("dstore show task", "-C", folder, "show", "task"))
        (folder / ".dstore" / "index.db").unlink()
        rows.append(self.one("the same with the index deleted", "-C", folder, "show", "task"))
        rows.append(self.one("dstore verify", "-C", folder, "verify"))
        self.table(f"{count:,} objects in {packs:,} packs", rows)

    def refs(self):
        count = self.size(100_000)
        folder = self.repository("refs")
        machine.run(self.helper, "entries", folder, "moved", "task", count)
        rows = self.opened(folder, "task", "another branch")
        rows += [self.one("the first look at it: its folder is listed", "-C", folder, "show", "moved")]
        rows += self.opened(folder, "moved", "the ref that has moved so often")
        self.table(f"a ref with {count:,} entries", rows)
        machine.run(self.helper, "refs", folder, "task", count)
        rows = self.opened(folder, f"many/{count // 2}", "one of the refs")
        rows.append(self.one("dstore tag: lists them all", "-C", folder, "tag"))
        rows.append(self.one("dstore log --oneline -n 1", "-C", folder, "log", "--oneline", "-n", "1"))
        self.table(f"{count:,} refs beside it", rows)

    def one(self, name, *command):
        seconds, peak = measured(self.helper, self.dstore, *command)
        return row(name, [seconds], peak)

    def tensors(self):
        count = self.size(100_000)
        folder = self.scratch / "tensors"
        machine.run(self.dstore, "init", folder)
        model = self.scratch / "tensors-model"
        shapes = {f"layers.{i}.weight": [8, 8] for i in range(count)}
        write_model(model, shapes, 1)
        bytes_of_model = sum(path.stat().st_size for path in model.iterdir())
        rows = [self.one("import", "-C", folder, "import", model, "--name", "base", "-m", "base")]
        write_model(model, shapes, 2)
        rows += [self.one("commit of one changed element in each tensor", "-C", folder, "commit", model, "--base", "base", "--name", "task", "-m", "task"),
                 self.one("checkout base", "-C", folder, "checkout", "base", "-o", self.scratch / "out1"),
                 self.one("checkout base+task", "-C", folder, "checkout", "base+task", "-o", self.scratch / "out2"),
                 self.one("cat task: names, shapes, ids", "-C", folder, "cat", "task"),
                 self.one("verify", "-C", folder, "verify"), self.one("the first log", "-C", folder, "log"), self.one("log", "-C", folder, "log"),
                 self.one("query of the view tensors", "-C", folder, "query", "SELECT op, count(*) FROM tensors GROUP BY op"),
                 self.one("the same again", "-C", folder, "query", "SELECT op, count(*) FROM tensors GROUP BY op")]
        self.table(f"{count:,} tensors of 64 fp32 numbers ({bytes_of_model / 1e6:.1f} MB)", rows)

    def sparse(self):
        size = self.size(64 << 30) // 4 * 4
        folder, model = self.scratch / "sparse", self.scratch / "sparse-model"
        machine.run(self.dstore, "init", folder)
        model.mkdir()
        write_sparse(model / "model.safetensors", size, {})
        rows = [self.one("import", "-C", folder, "import", model, "--name", "base", "-m", "base")]
        write_sparse(model / "model.safetensors", size, {size // 3: b"\x01\x02\x03\x04", size - 8: b"\x05\x06\x07\x08"})
        rows.append(self.one("commit of two changed weights", "-C", folder, "commit", model, "--base", "base", "--name", "task", "-m", "task"))
        stored = sum(path.stat().st_size for path in (folder / ".dstore" / "packs").iterdir())
        rows.append(self.one("verify base+task (every byte made and hashed)", "-C", folder, "verify", "base+task"))
        free = shutil.disk_usage(self.scratch).free
        out = self.scratch / "sparse-out"
        if free > size + (1 << 30):
            rows.append(self.one("checkout base+task", "-C", folder, "checkout", "base+task", "-o", out))
            held = sum(path.stat().st_blocks * 512 for path in out.iterdir())
            rows.append(["  bytes on disk of the checkout", f"{held / 2**20:.1f} MiB", "", ""])
            same = subprocess.run(["cmp", out / "model.safetensors", model / "model.safetensors"]).returncode == 0
            rows.append(["  the same bytes as the file committed", "yes" if same else "NO", "", ""])
        else:
            rows.append([f"checkout: left out, {free / 2**30:.0f} GiB are free", "", "", ""])
        self.table(f"one tensor of {size / 2**30:.0f} GiB in a sparse file ({stored / 1e6:.2f} MB stored)", rows)


def write_model(folder, shapes, seed):
    """fp32 tensors of small numbers; another seed changes the first number of each."""
    folder.mkdir(exist_ok=True)
    header, at, data = {}, 0, bytearray()
    for index, (name, shape) in enumerate(shapes.items()):
        count = 1
        for dimension in shape:
            count *= dimension
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        data += struct.pack("<f", index + seed) + struct.pack("<f", index * 0.5) * (count - 1)
        at += 4 * count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_sparse(path, size, values):
    text = json.dumps({"wide": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
        for at, value in values.items():
            file.seek(8 + len(text) + at // 4 * 4)
            file.write(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dstore", required=True)
    parser.add_argument("--helper", required=True, help="scale_bench")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--shrink", type=int, default=1, help="divide every number by this: a quick look")
    parser.add_argument("--section", action="append", choices=SECTIONS)
    parser.add_argument("--work", type=pathlib.Path, help="where the stores are made (default: the temporary folder)")
    args = parser.parse_args()
    args.size = lambda number: max(1, number // args.shrink)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-scale-", dir=args.work))
    try:
        for section in args.section or SECTIONS:
            getattr(Bench(args, scratch), section)()
            for path in scratch.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
