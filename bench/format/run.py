#!/usr/bin/env python3
"""The format bench: sizes and speeds of deltas beside other encoders, and which goals are reached. See bench/README.md.

Needs the project's Python environment (torch, transformers, safetensors, numpy). Keeps trained pairs, synthetic checkpoints and an
environment with the peers in the work folder.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import dense
import large_rows
import machine
import report
import sparse_rows

SECTIONS = {"sparse": sparse_rows.run, "large": large_rows.checkpoints, "scatter": large_rows.scatter, "extraction": large_rows.extraction,
            "positions": large_rows.position_decode, "memory": large_rows.memory, "dense": dense.run}
PEER_PACKAGES = {"zipnn": "zipnn==0.5.*", "pcodec": "pcodec", "z4ai": "z4ai", "zstandard": "zstandard"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dstore", type=pathlib.Path, required=True)
    parser.add_argument("--programme", type=pathlib.Path, required=True, help="format_bench")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of MiniLM")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for what is made once and kept")
    parser.add_argument("--quick", action="store_true", help="one pair, a small synthetic checkpoint, no slow peers")
    parser.add_argument("--large", action="store_true", help="a synthetic checkpoint of 4 GB too")
    parser.add_argument("--section", choices=SECTIONS, action="append", help="only these")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    os.nice(5)
    sys.stdout.reconfigure(line_buffering=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="scratch-", dir=args.work))
    os.environ["DSTORE_CONFIG_HOME"] = str(scratch / "keys")
    bench = report.Bench(args.dstore.resolve(), args.programme.resolve(), args.model, args.work.resolve(), scratch.resolve(), args.quick, args.large)
    try:
        versions = bench.install_peers(PEER_PACKAGES)
        print("peers     " + ", ".join(f"{name} {version or 'not there'}" for name, version in versions.items()))
        print("timing    CPU seconds, median (least..most) of rounds that take turns; wall time only where it says so: the machine may be shared")
        for name in args.section or SECTIONS:
            SECTIONS[name](bench)
        bench.table("goals", ["", "goal", "reached", "met"], bench.goals)
        if not args.section:
            print(f"\nall of it as JSON: {bench.save()}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
