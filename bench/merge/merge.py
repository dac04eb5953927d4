#!/usr/bin/env python3
"""Merging beside mergekit: dense files to a file, sparse tasks to segments, and how time grows. See bench/README.md.

Needs the project's Python environment. Keeps the synthetic checkpoints and an environment with mergekit in the work folder.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCH), str(BENCH / "format")]
import environment  # noqa: E402
import machine  # noqa: E402
import synthetic  # noqa: E402
import tool  # noqa: E402

REQUIREMENTS = [BENCH.parent / "setup/requirements-merge.txt", BENCH.parent / "setup/requirements-peft.txt", BENCH / "requirements-merge.txt"]
MERGEKIT = "from mergekit.scripts.merge_raw_pytorch import main; main()"  # what its program mergekit-pytorch does
TASKS = ["noise_1", "noise_2", "noise_3"]  # without @ and +, which mean something in a path to mergekit
ROUNDS = 3
# method, parameters of mergekit, our settings, goal in CPU seconds for 1 GB
DENSE = [("linear", {"weight": 1}, [], 2.5), ("task_arithmetic", {"weight": 0.4}, ["weight=0.4"], 2.5),
         ("ties", {"weight": 0.4, "density": 0.5}, ["weight=0.4", "density=0.5"], 10),
         ("dare_ties", {"weight": 0.4, "density": 0.5}, ["weight=0.4", "density=0.5"], 6)]
SPARSE = [("ties", 0.02, ["weight=0.4", "density=0.2"], 1.5), ("ties", 0.02, ["weight=0.4", "density=0.01"], None),
          ("ties", 0.001, ["weight=0.4", "density=0.2"], 0.2), ("task_arithmetic", 0.02, ["weight=0.4"], 1.0)]


def goal_text(goal, reached):
    return "" if goal is None else f"{goal:.1f} {'met' if reached <= goal else 'missed'}"


def megabytes(child):
    return f"{child.anonymous / 1e6:.0f}"


def mergekit(python, *words):
    return tool.Child(python, "-c", MERGEKIT, *words, watch_memory=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def mergekit_row(python, method, parameters, files, scratch):
    models = "".join(f"  - model: {path}\n    parameters:\n" + "".join(f"      {key}: {value}\n" for key, value in parameters.items()) for path in files[1:])
    base = "" if method == "linear" else f"base_model: {files[0]}\n"
    (scratch / "merge.yml").write_text(f"merge_method: {method}\n{base}models:\n{models}dtype: bfloat16\n")
    out = scratch / "mergekit"
    done = mergekit(python, scratch / "merge.yml", out)
    if not any(out.glob("*.safetensors")):
        raise SystemExit(f"bench: mergekit made no file for {method}")
    shutil.rmtree(out)
    return [f"mergekit {method}", f"{done.cpu:.1f}", f"{done.wall:.1f}", megabytes(done), ""]


def find_mergekit(work):
    """A Python that has it and all it imports; None, and says so, where it cannot be installed."""
    peers = environment.Environment(work / "peers")
    problem = peers.install(*(word for path in REQUIREMENTS for word in ("-r", path)))
    if not problem:
        return peers.python
    print(f"mergekit: not there ({problem})")
    return None


def dense(args, files, scratch):
    rows = []
    python = None if args.no_peers else find_mergekit(args.work)
    out = scratch / "out.safetensors"
    for method, parameters, settings, goal in DENSE:
        runs = []
        for _ in range(ROUNDS):
            runs.append(tool.Child(args.program, "files", out, files[0], ",".join(map(str, files[1:])), method, *settings, watch_memory=True))
            out.unlink()
        cpu, wall = (tool.Spread([getattr(run, what) for run in runs]) for what in ("cpu", "wall"))
        largest = max(runs, key=lambda run: run.anonymous)
        rows.append([f"dstore {method}", cpu, wall, megabytes(largest), goal_text(goal if args.size == "1GB" else None, cpu.median)])
        if python:
            rows.append(mergekit_row(python, method, parameters, files, scratch))
    if python:
        start = mergekit(python, "--help")
        rows.append(["mergekit, its start alone", f"{start.cpu:.1f}", f"{start.wall:.1f}", megabytes(start), ""])
    machine.table(f"Three dense bf16 files and their base to a file (CPU s, wall s, peak anonymous MB; whole processes, ours {ROUNDS} times; "
                  f"load {os.getloadavg()[0]:.1f})", ["", "CPU", "wall", "memory", "goal"], rows)


def sparse(args, files):
    rows = []
    for method, density, settings, goal in SPARSE:
        result = json.loads(tool.Child(args.program, "segments", files[0], density, method, *settings).out)
        merge = tool.seconds(result["merge"])
        rows.append([f"{' '.join([method, *settings[1:]])} of three tasks of {100 * density:g} %", merge, tool.seconds(result["merge_wall"]),
                     f"{result['anonymous'] / 1e6:.0f}", f"{tool.seconds(result['commit']).median:.2f}", f"{result['segment_bytes'] / 1e6:.1f}",
                     goal_text(goal if args.size == "1GB" else None, merge.median)])
    machine.table(f"Three sparse tasks to the segments of their merge (CPU s of the merge, wall s, its anonymous MB; CPU s of hashing the result; "
                  f"MB of segments; load {os.getloadavg()[0]:.1f})", ["", "merge", "wall", "memory", "commit", "segments", "goal"], rows)


def scaling(args):
    rows = []
    for units, changed in ((1 << 27, 1 << 18), (1 << 27, 1 << 20), (1 << 27, 1 << 22), (1 << 25, 1 << 20), (1 << 29, 1 << 20)):
        units, changed = (units >> 4, changed >> 4) if args.quick else (units, changed)
        result = json.loads(tool.Child(args.program, "memory", units, changed, "ties", "density=0.5").out)
        rows.append([f"{units:,} numbers, {changed:,} changed by each",
                     tool.Spread([value / 1e6 for value in result["merge"]]), f"{statistics.median(result['merge']) / (3 * changed):.0f}"])
    machine.table("TIES of three tasks in memory: CPU time by changes and by size", ["", "CPU ms", "ns a change"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="merge_bench")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for what is made once and kept")
    parser.add_argument("--quick", action="store_true", help="a checkpoint of 31 MB instead of 1 GB")
    parser.add_argument("--no-peers", action="store_true", help="without mergekit")
    parser.add_argument("--section", choices=["dense", "sparse", "scaling"], help="only this part")
    args = parser.parse_args()
    args.size = "tiny" if args.quick else "1GB"
    args.work = args.work.absolute()
    args.work.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="scratch-", dir=args.work))
    try:
        wanted = [args.section] if args.section else ["dense", "sparse", "scaling"]
        files = [] if wanted == ["scaling"] else [synthetic.make(args.work / "synthetic" / args.size, args.size, task) for task in ("base", *(TASKS if "dense" in wanted else []))]
        if "dense" in wanted:
            dense(args, files, scratch)
        if "sparse" in wanted:
            sparse(args, files)
        if "scaling" in wanted:
            scaling(args)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
