#!/usr/bin/env python3
"""Start-up time of small commands: `dstore log` against `git log` and the smallest Python program. See bench/README.md."""
import argparse
import pathlib
import shutil
import statistics
import sys
import tempfile

import machine


def git_repository(folder):
    machine.run("git", "init", "-q", folder)
    (folder / "file").write_text("text\n")
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    machine.run("git", *identity, "-C", folder, "add", "file")
    machine.run("git", *identity, "-C", folder, "commit", "-q", "--no-gpg-sign", "-m", "one")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dstore", required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=31)
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dstore-bench-"))
    try:
        store = scratch / "store"
        machine.run(args.dstore, "init", store)
        machine.run(args.dstore, "-C", store, "import", args.model, "--name", "base", "-m", "base")
        commands = {"dstore log": [args.dstore, "-C", store, "log"], "dstore --version": [args.dstore, "--version"],
                    "python -c pass": [sys.executable, "-c", "pass"]}
        if shutil.which("git"):
            git_repository(scratch / "git")
            commands["git log"] = ["git", "-C", scratch / "git", "log"]
        times = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                times[name].append(machine.seconds(lambda: machine.run(*command)))
        middle = {name: statistics.median(values) for name, values in times.items()}
        reference = middle.get("git log", middle["python -c pass"])
        machine.table(f"Start-up (medians of {args.rounds}, taking turns; starting a process included)",
                      ["", "time", "vs git log"],
                      [[name, f"{1000 * value:.1f} ms", f"{value / reference:.2f}"] for name, value in middle.items()])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
