#!/usr/bin/env python3
"""A base and sparse tasks in dstore, restic, git and git-lfs: time and bytes of the same files. See bench/README.md. Needs numpy and safetensors."""
import argparse
import os
import pathlib
import shutil
import statistics
import tempfile

from safetensors.numpy import load_file, save_file

import machine
from delta_size import sparse_copy

ROUNDS = 3


def bytes_in(folder):
    """As the files are long, of the folder and all below it."""
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file() and not path.is_symlink())


class Peer:
    """One folder of a model that changes, kept by some program. `check` reads everything back and verifies it."""

    def __init__(self, scratch, name):
        self.home = scratch / name
        self.work = self.home / "model"
        self.home.mkdir()

    def copy(self, model):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(model, self.work, copy_function=shutil.copy)  # with the time of the copy: git sees the change by it

    def size(self):
        return bytes_in(self.store)


class Plain(Peer):
    """The least that it can cost: a copy of each, hashed."""

    def __init__(self, scratch, sync):
        super().__init__(scratch, "copies-synced" if sync else "copies")
        self.name = "cp + sha256 + sync" if sync else "cp + sha256"
        self.store, self.sync, self.count = self.home / "store", sync, 0
        self.store.mkdir()

    def add(self, _):
        self.count += 1
        target = self.store / str(self.count)
        machine.run("cp", "-r", self.work, target)
        machine.run("openssl", "dgst", "-sha256", target / "model.safetensors")
        if self.sync:
            machine.run("sync", "-f", target)

    def check(self):
        for model in sorted(self.store.glob("*/model.safetensors")):
            machine.run("openssl", "dgst", "-sha256", model)


class Dstore(Peer):
    def __init__(self, scratch, program):
        super().__init__(scratch, "dstore")
        self.name, self.program = "dstore", program
        self.store = self.home / ".dstore"
        machine.run(program, "init", self.home)

    def add(self, number):
        words = ["import", self.work, "--name", "base"] if number == 0 else ["commit", self.work, "--base", "base", "--name", f"task{number}", "-m", f"task {number}"]
        machine.run(self.program, "-C", self.home, *words)

    def check(self):
        machine.run(self.program, "-C", self.home, "fsck")


class Restic(Peer):
    def __init__(self, scratch, _=None):
        super().__init__(scratch, "restic")
        self.name, self.store = "restic", self.home / "store"
        os.environ.update(RESTIC_PASSWORD="bench", RESTIC_CACHE_DIR=str(self.home / "cache"))
        machine.run("restic", "-r", self.store, "init")

    def add(self, _):
        machine.run("restic", "-r", self.store, "backup", self.work)

    def check(self):
        machine.run("restic", "-r", self.store, "check", "--read-data")


class Git(Peer):
    lfs = False

    def __init__(self, scratch, _=None):
        super().__init__(scratch, "git-lfs" if self.lfs else "git")
        self.name, self.store = self.home.name, self.home / ".git"
        self.git("init", "-q", ".")
        for key, value in (("user.name", "bench"), ("user.email", "bench@example.org"), ("gc.auto", "0"), ("core.fsync", "all")):
            self.git("config", key, value)
        if self.lfs:
            self.git("lfs", "install", "--local")
            self.git("lfs", "track", "*.safetensors")
            self.git("add", ".gitattributes")

    def git(self, *words):
        return machine.run("git", *words, cwd=self.home)

    def add(self, number):
        self.git("add", "model")
        self.git("commit", "-q", "-m", f"task {number}")

    def check(self):
        self.git("fsck", "--full")
        if self.lfs:
            self.git("lfs", "fsck", "--objects")


class GitLfs(Git):
    lfs = True


PEERS = [("cp", lambda scratch, _: Plain(scratch, False)), ("cp", lambda scratch, _: Plain(scratch, True)), ("", Dstore), ("restic", Restic), ("git", Git),
         ("git-lfs", GitLfs)]


def make_peers(scratch, dstore):
    peers = []
    for program, make in PEERS:
        if program and shutil.which(program) is None:
            print(f"  {program}: not there (apt-get install {program})")
        else:
            peers.append(make(scratch, dstore))
    return peers


def time_steps(models, dstore, scratch):
    """{peer: {step: median seconds}}: everything anew in each round, taking turns."""
    times = {}
    for number in range(ROUNDS):
        folder = scratch / f"round{number}"
        folder.mkdir()
        for peer in make_peers(folder, dstore):
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
    peers = make_peers(folder, dstore)[1:]  # one kind of copy is enough
    for number in range(tasks + 1):
        model = make_task(number) if number else base
        for peer in peers:
            peer.copy(model)
            peer.add(number)
        if number:
            shutil.rmtree(model)
    full = (tasks + 1) * bytes_in(base)
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
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-bench-", dir=args.scratch))
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
        size = bytes_in(base)
        if args.section != "bytes":
            print_times([base, write_model("task", 0.005, 1)], size, args.dstore, scratch)
        if args.section != "times":
            for percent in (0.5, 1):
                print_bytes(base, lambda number: write_model("task%d" % number, percent / 100, 100 + number), args.tasks, percent, args.dstore, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
