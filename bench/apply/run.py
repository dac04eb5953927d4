#!/usr/bin/env python3
"""Putting sparse tasks on weights in memory and taking them off: dstore beside a plain scatter, memcpy and PEFT's SHiRA. See bench/README.md."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(BENCH))
import environment  # noqa: E402

ORDER = ["memcpy of the model", "plain scatter", "apply", "undo", "switch"]
GOALS = {5: {"apply": 5.0, "switch": 10.0}, 26: {"apply": 150.0, "undo": 150.0}}  # ms, by changes in a thousand
PEFT_PERMILLE = 26


def call(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {words[0]}: {done.stderr.strip()[-400:] or 'some weights were wrong'}")
    return json.loads(done.stdout)


def line(name, nanoseconds, plain, changed, goal=""):
    values = [value / 1e6 for value in nanoseconds]
    middle = statistics.median(values)
    spread = f"{middle:.2f} ({min(values):.2f}..{max(values):.2f})"
    print(f"{name:24}{spread:>26}{middle / plain:>11.2f}{middle * 1e6 / changed:>13.2f}{goal:>8}")


def shira(work, weights, permille, rounds, plain):
    """PEFT's adapter of as many values, merged and taken off."""
    peers = environment.Environment(work / "peers")
    problem = peers.install("-r", BENCH.parent / "setup/requirements-peft.txt")
    if problem:
        print(f"PEFT: not there ({problem})")
        return
    theirs = call(peers.python, pathlib.Path(__file__).with_name("shira.py"), weights, permille, rounds)
    for step in ("merge", "unmerge"):
        line(f"PEFT SHiRA, {step}", theirs[step], plain, theirs["changed"])
    print(f"after PEFT's unmerge {theirs['wrong']:,} weights have other bits than before: {100 * theirs['wrong'] / theirs['changed']:.1f} % of the "
          f"{theirs['changed']:,} in the adapter; after dstore's undo none has, nor after its apply (every round is compared)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programme", type=pathlib.Path, required=True, help="apply_bench")
    parser.add_argument("--weights", type=int, default=110_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", type=pathlib.Path, help="folder for an environment with PEFT (default: without its rows)")
    args = parser.parse_args()
    for permille, goals in GOALS.items():
        ours = call(args.programme, args.weights, permille, args.rounds)
        plain = statistics.median(ours["plain scatter"]) / 1e6
        print(f"\n{permille / 10:g} % of {args.weights:,} fp32 weights in memory, one core; CPU ms, median (least..most)")
        print(f"{'':24}{'ms':>26}{'x scatter':>11}{'ns a change':>13}{'goal':>8}")
        for name in ORDER:
            line(name, ours[name], plain, ours["changed"], f"{goals[name]:g}" if name in goals else "")
        print(f"a task takes {ours['patch_bytes'] / 1e6:.1f} MB, its undo list {ours['undo_bytes'] / 1e6:.1f} MB")
        if permille == PEFT_PERMILLE and args.work:
            shira(args.work, args.weights, permille, args.rounds, plain)


if __name__ == "__main__":
    main()
