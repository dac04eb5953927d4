#!/usr/bin/env python3
"""Make two text classification tasks out of WordNet: a definition -> the lexicographer file it belongs to.

noun-topic has 26 classes (noun.act, noun.animal, ...), verb-topic has 15. Input: data.noun and data.verb of WordNet 3.0,
as Debian's package wordnet-base installs them. Output: OUT/noun-topic/{train,dev,test}.tsv and the same for verb-topic,
each with the header line `text<TAB>label`.

No text occurs twice, in any split of any task: equal definitions (letter case and spaces aside) with one label are kept
once, with several labels not at all. So the splits are disjoint by synset and by text. The order is the order of
SHA-256(seed, task, synset): equal on every machine and Python version.
"""
import argparse
import collections
import hashlib
import pathlib
import sys

# lexicographer file number -> label (the manual page lexnames(5WN))
TASKS = {
    "noun-topic": ("data.noun", 3, "Tops act animal artifact attribute body cognition communication event feeling food "
                   "group location motive object person phenomenon plant possession process quantity relation shape "
                   "state substance time", "noun"),
    "verb-topic": ("data.verb", 29, "body change cognition communication competition consumption contact creation "
                   "emotion motion perception possession social stative weather", "verb"),
}
SIZES = {"noun-topic": {"test": 5000, "dev": 2000, "train": 20000},
         "verb-topic": {"test": 3000, "dev": 1000, "train": 9000}}


def labels_of(task):
    _, first, names, part = TASKS[task]
    return {first + i: f"{part}.{name}" for i, name in enumerate(names.split())}


def definition(gloss):
    """The gloss without its quoted examples."""
    return " ".join(gloss.split('"')[0].strip(" ;:").split())


def read_glosses(folder, task):
    """(synset offset, text, label) of every synset of the task's part of speech."""
    labels = labels_of(task)
    for line in (folder / TASKS[task][0]).read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # licence
            continue
        fields, gloss = line.split(" | ", 1)
        offset, file_number = fields.split(" ", 2)[:2]
        text = definition(gloss)
        if text:
            yield offset, text, labels[int(file_number)]


def unambiguous(glosses):
    """{task: [(synset, text, label)]} with every text at most once over all tasks."""
    seen = collections.defaultdict(set)
    for task, rows in glosses.items():
        for _, text, label in rows:
            seen[text.casefold()].add((task, label))
    kept = {}
    used = set()
    for task, rows in glosses.items():
        kept[task] = []
        for synset, text, label in rows:
            key = text.casefold()
            if len(seen[key]) == 1 and key not in used:
                used.add(key)
                kept[task].append((synset, text, label))
    return kept


def split(task, rows, sizes, seed):
    """{split name: rows}, drawn without replacement in hash order; the test set first, so that it never depends on the others' sizes."""
    rows = sorted(rows, key=lambda row: hashlib.sha256(f"{seed} {task} {row[0]}".encode()).digest())
    if sum(sizes.values()) > len(rows):
        sys.exit(f"make_tasks: {task} has {len(rows)} texts, {sum(sizes.values())} were asked for; give smaller sizes")
    out, start = {}, 0
    for name in ("test", "dev", "train"):
        out[name] = rows[start:start + sizes[name]]
        start += sizes[name]
    return out


def write_tsv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(f"{text}\t{label}\n" for _, text, label in rows)
    path.write_text("text\tlabel\n" + body, encoding="utf-8", newline="\n")


def describe(task, splits):
    rows = [row for part in splits.values() for row in part]
    count = collections.Counter(label for _, _, label in rows).most_common()
    words = sum(len(text.split()) for _, text, _ in rows) / len(rows)
    sizes = ", ".join(f"{name} {len(splits[name])}" for name in ("train", "dev", "test"))
    share = lambda item: f"{item[0]} {100 * item[1] / len(rows):.1f} %"
    print(f"{task}: {sizes}; {len(count)} classes ({share(count[0])} ... {share(count[-1])}), {words:.1f} words a text")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--wordnet", type=pathlib.Path, default=pathlib.Path("/usr/share/wordnet"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--task", choices=[*TASKS], action="append", help="default: both")
    for name in ("train", "dev", "test"):
        parser.add_argument(f"--{name}", type=int, help="number of texts (default: " +
                            ", ".join(f"{SIZES[task][name]} {task}" for task in TASKS) + ")")
    args = parser.parse_args()
    if not (args.wordnet / "data.noun").is_file():
        sys.exit(f"make_tasks: no WordNet in {args.wordnet}: install Debian's package wordnet-base or give --wordnet DIR")
    kept = unambiguous({task: list(read_glosses(args.wordnet, task)) for task in TASKS})
    for task in args.task or TASKS:
        sizes = {name: getattr(args, name) if getattr(args, name) is not None else size
                 for name, size in SIZES[task].items()}
        splits = split(task, kept[task], sizes, args.seed)
        for name, rows in splits.items():
            write_tsv(args.out / task / f"{name}.tsv", rows)
        describe(task, splits)


if __name__ == "__main__":
    main()
