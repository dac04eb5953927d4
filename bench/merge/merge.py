#!/usr/bin/env python3
"""Merging beside mergekit: dense files to a file, sparse tasks to segments, and how time grows. See bench/README.md.

Needs numpy; mergekit 0.1.5 (setup/requirements-merge.txt) for its rows. Keeps the synthetic checkpoints in the work folder.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "format")]
import machine  # noqa: E402
import synthetic  # noqa: E402

TASKS = ["noise@1", "noise@2", "noise@3"]
# method, parameters of mergekit, our settings, goal in CPU seconds for 1 GB
DENSE = [("linear", {"weight": 1}, [], 2.5), ("task_arithmetic", {"weight": 0.4}, ["weight=0.4"], 2.5),
         ("ties", {"weight": 0.4, "density": 0.5}, ["weight=0.4", "density=0.5"], 10),
         ("dare_ties", {"weight": 0.4, "density": 0.5}, ["weight=0.4", "density=0.5", "rescale=l1"], 6)]
SPARSE = [("ties", 0.02, ["weight=0.4", "density=0.2"], 1.5), ("ties", 0.02, ["weight=0.4", "density=0.01"], None),
          ("ties", 0.001, ["weight=0.4", "density=0.2"], 0.2), ("task_arithmetic", 0.02, ["weight=0.4"], 1.0)]


def measured(*command, env=None):
    """(CPU seconds, wall seconds, peak of anonymous memory in MB, what it printed)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    peak = [0]

    def look():
        while process.poll() is None:
            try:
                for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon"):
                        peak[0] = max(peak[0], int(line.split()[1]))
            except OSError:
                pass
            time.sleep(0.02)

    watcher = threading.Thread(target=look)
    watcher.start()
    out, problem = process.communicate()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"bench: {command[0]}: {problem.strip()[-400:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start, peak[0] * 1024 / 1e6, out


def goal_text(goal, reached):
    return "" if goal is None else f"{goal:.1f} {'met' if reached <= goal else 'missed'}"


def mergekit_row(program, method, parameters, files, scratch):
    models = "".join(f"  - model: {path}\n    parameters:\n" + "".join(f"      {key}: {value}\n" for key, value in parameters.items()) for path in files[1:])
    base = "" if method == "linear" else f"base_model: {files[0]}\n"
    (scratch / "merge.yml").write_text(f"merge_method: {method}\n{base}models:\n{models}dtype: bfloat16\n")
    out = scratch / "mergekit"
    shutil.rmtree(out, ignore_errors=True)
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    cpu, wall, memory, _ = measured(program, scratch / "merge.yml", out, env=env)
    return [f"mergekit {method}", f"{cpu:.1f}", f"{wall:.1f}", f"{memory:.0f}", ""]


def dense(args, files, scratch):
    rows = []
    program = None if args.no_peers else pathlib.Path(sys.executable).with_name("mergekit-pytorch")
    for method, parameters, settings, goal in DENSE:
        out = scratch / "out.safetensors"
        cpu, wall, memory, _ = measured(args.program, "files", out, files[0], ",".join(map(str, files[1:])), method, *settings)
        rows.append([f"dstore {method}", f"{cpu:.2f}", f"{wall:.1f}", f"{memory:.0f}", goal_text(goal if args.size == "1GB" else None, cpu)])
        out.unlink()
        if program and program.is_file():
            rows.append(mergekit_row(program, method, parameters, files, scratch))
    machine.table("Three dense bf16 files and their base to a file (CPU s, wall s, peak anonymous MB; whole processes)",
                  ["", "CPU", "wall", "memory", "goal"], rows)


def seconds(values):
    return statistics.median(values) / 1e9


def sparse(args, files):
    rows = []
    for method, density, settings, goal in SPARSE:
        result = json.loads(measured(args.program, "segments", files[0], density, method, *settings)[3])
        merge = seconds(result["merge"])
        rows.append([f"{method} {' '.join(settings[1:])} of three tasks of {100 * density:g} %", f"{merge:.2f}", f"{seconds(result['merge_wall']):.1f}",
                     f"{result['anonymous'] / 1e6:.0f}", f"{seconds(result['commit']):.2f}", f"{result['segment_bytes'] / 1e6:.1f}",
                     goal_text(goal if args.size == "1GB" else None, merge)])
    machine.table("Three sparse tasks to the segments of their merge (CPU s of the merge, wall s, its anonymous MB; CPU s of hashing the result; MB of segments)",
                  ["", "merge", "wall", "memory", "commit", "segments", "goal"], rows)


def scaling(args):
    rows = []
    for units, changed in ((1 << 27, 1 << 18), (1 << 27, 1 << 20), (1 << 27, 1 << 22), (1 << 25, 1 << 20), (1 << 29, 1 << 20)):
        units, changed = (units >> 4, changed >> 4) if args.quick else (units, changed)
        result = json.loads(measured(args.program, "memory", units, changed, "ties", "density=0.5")[3])
        rows.append([f"{units:,} numbers, {changed:,} changed by each", f"{1000 * seconds(result['merge']):.0f} ms", f"{seconds(result['merge']) * 1e9 / (3 * changed):.0f} ns"])
    machine.table("TIES of three tasks in memory: CPU time by changes and by size", ["", "merge", "a change"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="merge_bench")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for what is made once and kept")
    parser.add_argument("--quick", action="store_true", help="a checkpoint of 31 MB instead of 1 GB")
    parser.add_argument("--no-peers", action="store_true", help="without mergekit")
    parser.add_argument("--section", choices=["dense", "sparse", "scaling"], help="only this part")
    args = parser.parse_args()
    args.size = "tiny" if args.quick else "1GB"
    args.work.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="scratch-", dir=args.work))
    try:
        wanted = [args.section] if args.section else ["dense", "sparse", "scaling"]
        files = [] if wanted == ["scaling"] else [synthetic.make(args.work / args.size, args.size, task) for task in ("base", *(TASKS if "dense" in wanted else []))]
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
