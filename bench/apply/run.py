#!/usr/bin/env python3
"""Putting sparse tasks on weights in memory and taking them off: dstore beside a plain scatter and memcpy. See bench/README.md."""
import argparse
import json
import pathlib
import statistics
import subprocess

ORDER = ["memcpy of the model", "plain scatter", "apply", "undo", "switch"]
GOALS = {5: {"apply": 5.0, "switch": 10.0}, 26: {"apply": 150.0, "undo": 150.0}}  # ms, by changes in a thousand


def call(*words):
    return json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programme", type=pathlib.Path, required=True, help="apply_bench")
    parser.add_argument("--weights", type=int, default=110_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    for permille, goals in GOALS.items():
        ours = call(args.programme, args.weights, permille, args.rounds)
        plain = statistics.median(ours["plain scatter"])
        print(f"\n{permille / 10:g} % of {args.weights:,} fp32 weights in memory, one core; CPU ms, median (least..most)")
        print(f"{'':24}{'ms':>26}{'x scatter':>11}{'ns a change':>13}{'goal':>8}")
        for name in ORDER:
            values = [value / 1e6 for value in ours[name]]
            middle = statistics.median(values)
            goal = f"{goals[name]:g}" if name in goals else ""
            spread = f"{middle:.2f} ({min(values):.2f}..{max(values):.2f})"
            print(f"{name:24}{spread:>26}{middle * 1e6 / plain:>11.2f}{middle * 1e6 / ours['changed']:>13.2f}{goal:>8}")
        print(f"a task takes {ours['patch_bytes'] / 1e6:.1f} MB, its undo list {ours['undo_bytes'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
