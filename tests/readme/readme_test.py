"""Run README's transcript and compare it with what really happens.

Every ```console block of README.md is executed, in order, in one scratch folder: lines that start with `$ ` are commands (`\\`
continues one), the lines below are what they print. `...` stands for any text within a line, and alone on a line for any
lines. Ids, key fingerprints, times, ages and speeds are masked. The scratch folder has `minilm` (the model), and tiny noun-topic
data under `data/`; the programs of --bin are on PATH.

  readme_test.py --bin build/release/bin [--model FOLDER] [--readme README.md] [--show]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
MASKS = [
    (re.compile(r"SHA256:[A-Za-z0-9+/]{20,}"), "SHA256:KEY"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "ID"),
    (re.compile(r"\b\d+ (second|minute)s? ago\b|\bjust now\b"), "AGE"),
    (re.compile(r"\b\d+(\.\d+)? [KMG]i?B/s\b"), "SPEED"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min)\b"), "TIME"),
]


def masked(line):
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    return " ".join(line.split())


def blocks(text):
    return re.findall(r"^```console\n(.*?)^```$", text, re.S | re.M)


def steps(block):
    """[(command, [expected lines])] of one block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] = found[-1][0][:-1] + line.strip()
        elif found:
            found[-1][1].append(line)
    return found


def matches(expected, actual):
    """Whether the actual lines fit the expected ones."""
    if not expected:
        return not actual
    if expected[0].strip() == "...":
        return any(matches(expected[1:], actual[i:]) for i in range(len(actual) + 1))
    if not actual:
        return False
    pattern = ".*".join(re.escape(masked(part)) for part in expected[0].split("..."))
    pattern = pattern if "..." in expected[0] else re.escape(masked(expected[0]))
    return re.fullmatch(pattern, masked(actual[0])) is not None and matches(expected[1:], actual[1:])


def prepare(scratch, model):
    (scratch / "minilm").symlink_to(model)
    subprocess.run([sys.executable, ROOT / "examples/wordnet/make_tasks.py", "--out", scratch / "data", "--task", "noun-topic",
                    "--train", "600", "--dev", "100", "--test", "200"], check=True, stdout=subprocess.DEVNULL)


def run_step(command, expected, environment, scratch, show):
    done = subprocess.run(["bash", "-c", command], cwd=scratch, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    actual = [line.rstrip() for line in done.stdout.splitlines()]
    if show:
        print("$ " + command, *actual, sep="\n")
    if matches(expected, actual):
        return True
    if not show:
        print(f"README says of\n  $ {command}\n", *(f"  {line}\n" for line in expected), "but it printed\n",
              *(f"  {line}\n" for line in actual), sep="")
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, default=os.environ.get("DSTORE_MINILM"))
    parser.add_argument("--readme", type=pathlib.Path, default=ROOT / "README.md")
    parser.add_argument("--show", action="store_true", help="print the real output, to write the transcript from")
    args = parser.parse_args()
    if not args.model or not pathlib.Path("/usr/share/wordnet/data.noun").is_file():
        print("skipped: needs the MiniLM model (--model or DSTORE_MINILM) and WordNet")
        return SKIPPED
    found = [step for block in blocks(args.readme.read_text(encoding="utf-8")) for step in steps(block)]
    if not found:
        print("README.md has no console block")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        prepare(scratch, pathlib.Path(args.model).resolve())
        environment = dict(os.environ, PATH=f"{args.bin.resolve()}:{os.environ['PATH']}", LC_ALL="C.UTF-8",
                           DSTORE_CONFIG_HOME=str(scratch / "config"))
        environment.pop("DSTORE_KEY", None)
        results = [run_step(command, expected, environment, scratch, args.show) for command, expected in found]
    print(f"README: {sum(results)} of {len(results)} commands do what it says")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
