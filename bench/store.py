#!/usr/bin/env python3
"""Import and checkout against `cp` + `openssl dgst -sha256` of the same bytes. See bench/README.md."""
import argparse
import pathlib
import shutil
import statistics
import tempfile

import machine


def sync(folder):
    machine.run("sync", "-f", folder)


class Bench:
    """Fresh targets for every round; what a round leaves behind is removed outside the timing."""

    def __init__(self, dstore, model, scratch):
        self.dstore, self.model, self.scratch = dstore, model, scratch
        self.count = 0
        machine.run(dstore, "init", scratch / "store")
        machine.run(dstore, "-C", scratch / "store", "import", model, "--name", "base", "-m", "base")

    def fresh(self, name):
        self.count += 1
        return self.scratch / f"{name}{self.count}"

    def copy_and_hash(self, source, synced):
        def action():
            target = self.fresh("copy")
            machine.run("cp", "-rL", source, target)
            machine.run("openssl", "dgst", "-sha256", target / "model.safetensors")
            if synced:
                sync(target)
        return action

    def import_model(self):
        store = self.fresh("store")
        machine.run(self.dstore, "init", store)
        return machine.run(self.dstore, "-C", store, "import", self.model, "--name", "base", "-m", "base")

    def init_only(self):
        machine.run(self.dstore, "init", self.fresh("store"))

    def import_again(self):
        """The bytes are in the store already: reading, hashing and one small pack."""
        self.count += 1
        machine.run(self.dstore, "-C", self.scratch / "store", "import", self.model, "--name", f"b{self.count}", "-m", "again")

    def checkout(self):
        machine.run(self.dstore, "-C", self.scratch / "store", "checkout", "base", "-o", self.fresh("out"))


def measure(actions, rounds, scratch):
    """{name: median seconds}; what a round made is removed between the rounds, outside the timing."""
    times = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(machine.seconds(action))
        for path in scratch.iterdir():
            if path.name != "store":
                shutil.rmtree(path)
        sync(scratch)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dstore", required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scratch", help="folder to work in (default: the system's)")
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-bench-", dir=args.scratch))
    try:
        bench = Bench(args.dstore, args.model, scratch)
        size = (args.model / "model.safetensors").stat().st_size
        actions = {
            "cp + sha256": bench.copy_and_hash(args.model, False),
            "cp + sha256 + sync": bench.copy_and_hash(args.model, True),
            "dstore init + import": bench.import_model,
            "dstore init": bench.init_only,
            "dstore import, bytes known": bench.import_again,
            "dstore checkout": bench.checkout,
        }
        for action in actions.values():  # warm the page cache, then remove what it made
            action()
        times = measure(actions, args.rounds, scratch)
        plain, synced = times["cp + sha256"], times["cp + sha256 + sync"]
        rows = [[name, f"{1000 * value:.0f} ms", f"{size / 1e6 / value:.0f} MB/s", f"{value / plain:.2f}", f"{value / synced:.2f}"]
                for name, value in times.items()]
        machine.table(f"Import and checkout of {size / 1e6:.1f} MB (medians of {args.rounds}, taking turns)",
                      ["", "time", "speed", "vs cp + sha256", "with sync"], rows)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
