#!/usr/bin/env python3
"""A base with a task, written to an empty folder: dstore beside cp and sha256, git-theta, DVC, git-lfs and restic. See bench/README.md.

Needs the project's Python environment. Keeps synthetic checkpoints and the environments of git-theta and DVC in the work folder.
"""
import argparse
import filecmp
import math
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import numpy
from safetensors.numpy import load_file, save_file

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "format"))
import environment  # noqa: E402
import keepers  # noqa: E402
import machine  # noqa: E402
import synthetic  # noqa: E402
import tensors  # noqa: E402
from delta_size import sparse_copy  # noqa: E402

KEEPERS = [keepers.Plain, keepers.Dstore, keepers.Restic, keepers.GitLfs, keepers.Dvc, keepers.GitTheta]
PACKAGES = {"dvc": ["dvc==3.67.1"], "git-theta": ["git-theta==0.2.0", "safetensors==0.8.0"]}
VERSIONS = [("restic", "version"), ("git-lfs", "--version")]
PERCENTS = [0.5, 1]
GOAL = 1.25  # times cp + sha256


def install(work):
    for name, requirements in PACKAGES.items():
        own = environment.Environment(work / name, alone=True)
        problem = own.install(*requirements)
        print(f"  {name}: not there ({problem})" if problem else f"{'':9} {' '.join(requirements)}")
        own.on_path()


def folder_of(model, weights, folder):
    """A model's folder with these weights, by a hard link where that goes, and the side files that transformers reads."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(model / name, folder)
    try:
        os.link(weights, folder / "model.safetensors")
    except OSError:
        shutil.copy(weights, folder / "model.safetensors")
    return folder


def minilm(args, scratch):
    """Weights' files: the base, and a task for each of PERCENTS."""
    base = load_file(args.model / "model.safetensors")
    for seed, percent in enumerate([0, *PERCENTS]):
        path = scratch / f"minilm-{percent:g}.safetensors"
        save_file(sparse_copy(base, percent / 100, seed) if percent else base, path, {"format": "pt"})
        yield path


def large(args, scratch):
    size = "tiny" if args.tiny else "1GB"
    for name in ("base", *(f"sparse-{percent:g}" for percent in PERCENTS)):
        yield synthetic.make(args.work / "synthetic" / size, size, name)


def warm(folder):
    """Into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def elements(path):
    """{tensor: its bytes, a row for each number}."""
    entries, start = tensors.header(path)
    data = numpy.memmap(path, numpy.uint8, "r", offset=start)
    return {name: data[slice(*entry["data_offsets"])].reshape(math.prod(entry["shape"]), -1) for name, entry in entries.items()}


def faithful(wanted, got):
    """What the weights' file lacks of being the one that was kept."""
    if filecmp.cmp(wanted, got, shallow=False):
        return "same file"
    ours, theirs = elements(wanted), elements(got)
    wrong = sum(int((ours[name] != theirs[name]).any(axis=1).sum()) for name in ours)
    return f"{100 * wrong / sum(map(len, ours.values())):.2g} % of weights differ" if wrong else "same weights"


def set_up(folder, versions, dstore):
    """Every program with all versions; one that fails says why and is left out."""
    ready = []
    for kind in KEEPERS:
        for keeper in keepers.make([kind], folder, dstore):
            try:
                for number, version in enumerate(versions):
                    keeper.copy(version)
                    keeper.add(number)
                shutil.rmtree(keeper.work)
                ready.append(keeper)
            except SystemExit as problem:
                lines = str(problem).splitlines()
                print(f"  {keeper.name} cannot keep this model: {next((line for line in lines if 'Error' in line), lines[-1])}")
                shutil.rmtree(keeper.home)
    return ready


def measure(keeper, number, version):
    """(wall, CPU, wall with sync), and whether the bits are right."""
    keeper.prepare(number)
    warm(keeper.store)
    machine.run("sync", "-f", keeper.home)
    wall, cpu = machine.cost(lambda: keeper.restore(number))
    synced = wall + machine.seconds(lambda: machine.run("sync", "-f", keeper.home))
    result = faithful(version / "model.safetensors", keeper.restored() / "model.safetensors")
    keeper.prepare(number)
    return (wall, cpu, synced), result


def compare(title, versions, rounds, args, scratch):
    ready = set_up(scratch, versions, args.dstore)
    for number, percent in enumerate(PERCENTS, 1):
        times = {keeper.name: [] for keeper in ready}
        bits = {}
        for _ in range(rounds):
            for keeper in ready:
                cost, bits[keeper.name] = measure(keeper, number, versions[number])
                times[keeper.name].append(cost)
        middle = {name: [statistics.median(values) for values in zip(*costs)] for name, costs in times.items()}
        least = middle[keepers.Plain.name]
        machine.table(f"{title} and a task of {percent:g} %, to an empty folder (medians of {rounds}, taking turns; load {os.getloadavg()[0]:.1f})",
                      ["", "wall s", "x", "CPU s", "x", "synced s", "x", "weights", "kept MB"],
                      [[keeper.name, *(cell for mine, first in zip(middle[keeper.name], least) for cell in (f"{mine:.2f}", f"{mine / first:.2f}")),
                        bits[keeper.name], f"{keeper.size() / 1e6:,.1f}"] for keeper in ready])
        for column, what in ((0, "as it is"), (2, "synced")):
            ours = middle[keepers.Dstore.name][column]
            others = [name for name, costs in middle.items() if name not in (keepers.Plain.name, keepers.Dstore.name) and costs[column] <= ours]
            print(f"  goal, {what}: <= {GOAL:g} x {'met' if ours <= GOAL * least[column] else 'MISSED'}, "
                  f"faster than all others {'MISSED: ' + ', '.join(others) if others else 'met'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dstore", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of MiniLM")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for what is made once and kept, and for the copies")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--section", choices=["minilm", "large"], help="only this model")
    parser.add_argument("--tiny", action="store_true", help="a synthetic checkpoint of 31 MB instead of 1 GB")
    args = parser.parse_args()
    args.work, args.dstore = args.work.absolute(), args.dstore.absolute()
    args.work.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)
    print("peers")
    install(args.work)
    for words in VERSIONS:
        print(f"{'':9} {machine.first_line(*words)}")
    models = {"minilm": ("MiniLM in fp32", minilm), "large": ("A synthetic bf16 checkpoint", large)}
    for name in [args.section] if args.section else models:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="scratch-", dir=args.work))
        try:
            os.environ["DSTORE_CONFIG_HOME"] = str(scratch / "user")
            title, make = models[name]
            versions = [folder_of(args.model, weights, scratch / f"version{number}") for number, weights in enumerate(make(args, scratch))]
            compare(f"{title}, {keepers.bytes_in(versions[0]) / 1e6:,.1f} MB,", versions, args.rounds, args, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
