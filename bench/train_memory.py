"""Peak memory of every training method beside its own estimate and beside full fine-tuning, at several batch sizes.

Usage: train_memory.py --bin FOLDER --model FOLDER [--data FILE.tsv] [--tokens N] [--steps 6] [--batches 1,8,32] [--threads N] [--rows WORDS]

Without --data: noun glosses of WordNet as train_step.py makes them; --tokens and --rows as there. A peak is the peak resident set of one process of a
few steps that go through all of a method's phases (FISH looks at 64 examples instead of 1,024: their number changes time, not memory); the estimate is
what `--dry-run` prints for the same run. Prints MB: estimate, peak, the estimate's ratio to the peak and the peak's to full fine-tuning of the same batch.
"""
import argparse
import os
import platform
import re
import subprocess
import tempfile

import train_step

SETTINGS = {"fish": ["samples=64"], "far": ["priming=0.2"]}  # settings for a short run
VARIANTS = [
    ("far", "--set", "priming=0.2", "--set", "prime=ffn"),
    ("far", "--set", "priming=0.2", "--set", "prime=ffn", "--set", "learners=0.4"),
    ("full", "--accumulate", "4"),
    ("full", "--checkpoint-activations"),
    ("full", "--precision", "bf16"),
]
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def methods(program):
    listing = subprocess.run([program, "train", "--list-methods"], check=True, capture_output=True, text=True).stdout
    names = [line for line in listing.splitlines() if line and not line.startswith(" ")]
    return [(name, *(word for setting in SETTINGS.get(name, []) for word in ("--set", setting))) for name in names] + VARIANTS


def estimate(options, method):
    """Bytes that --dry-run says."""
    plan = subprocess.run([*train_step.command(options, method, options.steps), "--dry-run"], check=True, capture_output=True, text=True).stdout
    number, unit = re.search(r"memory about ([\d.]+) (\w+)", plan).groups()
    return float(number) * UNITS[unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of dstore-train")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--data", help="TSV with the columns text and label")
    parser.add_argument("--tokens", type=int, help="length of every text; else as the texts are, up to 128")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batches", default="1,8,32", help="batch sizes, joined by commas")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rows", help="only the lines that contain one of these words, joined by commas")
    options = parser.parse_args()
    options.train = os.path.join(options.bin, "dstore-train")
    with tempfile.TemporaryDirectory() as folder:
        train_step.find_data(options, folder)
        compare(options, [int(batch) for batch in options.batches.split(",")])


def compare(options, batches):
    print(f"{platform.machine()}, {options.threads} threads, {options.tokens or 'up to 128'} tokens, {options.steps} steps; "
          "in MB: estimate, peak, estimate / peak, peak / peak of full")
    print(f"{'':50}" + "".join(f"{'batch ' + str(batch):>26}" for batch in batches))
    full = {}
    for method in methods(options.train):
        name = " ".join(word for word in method if word != "--set")
        if options.rows and not any(word in name for word in options.rows.split(",")):
            continue
        cells = []
        for options.batch in batches:
            peak = train_step.dstore(options, method, options.steps)[1]
            said = estimate(options, method)
            cells.append(f"{said / 1e6:10.0f}{peak / 1e6:6.0f}{said / peak:5.2f}{peak / full.setdefault(options.batch, peak):5.2f}")
        print(f"{name:50}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
