#!/usr/bin/env python3
"""Putting sparse tasks on weights in memory and taking them off: dstore beside a plain scatter, memcpy and PEFT's SHiRA. See bench/README.md."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ORDER = ["memcpy of the model", "plain scatter", "apply", "undo", "switch", "PEFT merge", "PEFT unmerge"]
GOALS = {5: {"apply": 5.0, "switch": 10.0}, 26: {"apply": 150.0, "undo": 150.0}}  # ms, by changes in a thousand


def call(*words):
    return json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout)


def peers(python, weights, prefix, rounds):
    script = pathlib.Path(__file__).with_name("shira.py")
    done = subprocess.run([python, script, str(weights), str(prefix), str(rounds)], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    print("PEFT is not measured: " + (done.stderr.strip().splitlines() or ["?"])[-1])
    return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programme", type=pathlib.Path, required=True, help="apply_bench")
    parser.add_argument("--python", default=sys.executable, help="a Python that has peft")
    parser.add_argument("--weights", type=int, default=110_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    for permille, goals in GOALS.items():
        with tempfile.TemporaryDirectory() as scratch:
            prefix = pathlib.Path(scratch) / "task"
            ours = call(args.programme, args.weights, permille, args.rounds, prefix)
            theirs = peers(args.python, args.weights, prefix, 3)
        times = {**ours, **theirs}
        plain = statistics.median(ours["plain scatter"])
        print(f"\n{permille / 10:g} % of {args.weights:,} fp32 weights in memory, one core; CPU ms, median (least..most)")
        print(f"{'':24}{'ms':>26}{'x scatter':>11}{'ns a change':>13}{'goal':>8}{'wrong bits':>14}")
        for name in ORDER:
            if name not in times:
                continue
            values = [value / 1e6 for value in times[name]]
            middle = statistics.median(values)
            wrong = {"apply": 0, "undo": 0, "switch": 0, "PEFT merge": theirs.get("wrong_task"), "PEFT unmerge": theirs.get("wrong_base")}.get(name, "")
            if name.startswith("PEFT"):
                wrong = f"{wrong:,} ({100 * wrong / theirs['changed']:.1f} %)"
            goal = f"{goals[name]:g}" if name in goals else ""
            spread = f"{middle:.2f} ({min(values):.2f}..{max(values):.2f})"
            print(f"{name:24}{spread:>26}{middle * 1e6 / plain:>11.2f}{middle * 1e6 / ours['changed']:>13.2f}{goal:>8}{str(wrong):>14}")
        print(f"a task takes {ours['patch_bytes'] / 1e6:.1f} MB, its undo list {ours['undo_bytes'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
