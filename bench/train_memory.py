"""Peak memory of every training method beside full fine-tuning, at several batch sizes.

Usage: train_memory.py --bin FOLDER --model FOLDER [--data FILE.tsv] [--steps 6] [--batches 1,8,32] [--threads N]

Without --data: noun glosses of WordNet as train_step.py makes them. Each number is the peak resident set of one process of a few steps that
go through all of a method's phases (FISH looks at 64 examples instead of 1,024: their number changes time, not memory). Ratios are to the full
fine-tuning of the same batch size.
"""
import argparse
import os
import platform
import subprocess
import tempfile

import train_step

SETTINGS = {"fish": ["samples=64"], "far": ["priming=0.2"]}  # settings for a short run
VARIANTS = [("far", ["priming=0.2", "prime=ffn"]), ("far", ["priming=0.2", "prime=ffn", "learners=0.4"])]


def methods(program):
    listing = subprocess.run([program, "train", "--list-methods"], check=True, capture_output=True, text=True).stdout
    names = [line for line in listing.splitlines() if line and not line.startswith(" ")]
    return [(name, SETTINGS.get(name, [])) for name in names] + VARIANTS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of dstore-train")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--data", help="TSV with the columns text and label")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batches", default="1,8,32", help="batch sizes, joined by commas")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    options.train = os.path.join(options.bin, "dstore-train")
    batches = [int(batch) for batch in options.batches.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        options.data = options.data or train_step.wordnet(folder)
        print(f"{platform.machine()}, {options.threads} threads, {options.steps} steps, peak resident set in MB and its ratio to full fine-tuning")
        print(f"{'':44}" + "".join(f"{'batch ' + str(batch):>16}" for batch in batches))
        full = {}
        for name, settings in methods(options.train):
            arguments = [name] + [word for setting in settings for word in ("--set", setting)]
            cells = []
            for options.batch in batches:
                peak = train_step.dstore(options, arguments, options.steps)[1]
                cells.append(f"{peak / 1e6:10.0f}{peak / full.setdefault(options.batch, peak):6.2f}")
            print(f"{' '.join([name, *settings]):44}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
