#!/usr/bin/env python3
"""Make text classification tasks out of WordNet, and few-shot variants of them.

noun-topic (26 classes: noun.act, noun.animal, ...) and verb-topic (15): a definition -> the lexicographer file it belongs to.
noun-kind: two nouns -> is the first a kind of the second? (kind_pairs.py says how; only on --task noun-kind.) Input: data.noun
and data.verb of WordNet 3.0, as Debian's package wordnet-base installs them. Output: OUT/TASK/{train,dev,test}.tsv with the
header line `text<TAB>label` or `text<TAB>text2<TAB>label`. --few-shot K also writes OUT/TASK-K: K rows of each class to train
on and K others as dev, none of them in the task's dev or test, and its test.

No text of the two topic tasks occurs twice, in any split of either: equal definitions (letter case and spaces aside) with one
label are kept once, with several labels not at all. So the splits are disjoint by synset and by text; those of noun-kind are
too. The order is the order of SHA-256(seed, task, synset): equal on every machine and Python version.
"""
import argparse
import collections
import hashlib
import pathlib
import sys

import kind_pairs

# lexicographer file number -> label (the manual page lexnames(5WN))
TOPICS = {
    "noun-topic": ("data.noun", 3, "Tops act animal artifact attribute body cognition communication event feeling food "
                   "group location motive object person phenomenon plant possession process quantity relation shape "
                   "state substance time", "noun"),
    "verb-topic": ("data.verb", 29, "body change cognition communication competition consumption contact creation "
                   "emotion motion perception possession social stative weather", "verb"),
}
SIZES = {"noun-topic": {"test": 5000, "dev": 2000, "train": 20000},
         "verb-topic": {"test": 3000, "dev": 1000, "train": 9000},
         kind_pairs.TASK: {"test": 5000, "dev": 2000, "train": 20000}}


def labels_of(task):
    _, first, names, part = TOPICS[task]
    return {first + i: f"{part}.{name}" for i, name in enumerate(names.split())}


def definition(gloss):
    """The gloss without its quoted examples."""
    return " ".join(gloss.split('"')[0].strip(" ;:").split())


def read_glosses(folder, task):
    """(synset offset, text, label) of every synset of the task's part of speech."""
    labels = labels_of(task)
    for line in (folder / TOPICS[task][0]).read_text(encoding="utf-8").splitlines():
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


def topic_pools(kept, task, sizes, seed):
    """{split: rows to take its texts from}: in hash order, the test set first, so that it never depends on the others' sizes."""
    rows = sorted(kept[task], key=lambda row: hashlib.sha256(f"{seed} {task} {row[0]}".encode()).digest())
    dev, train = sizes["test"], sizes["test"] + sizes["dev"]
    return {"test": rows[:dev], "dev": rows[dev:train], "train": rows[train:]}


def take(task, pools, sizes):
    available = sum(map(len, pools.values()))
    if any(sizes[name] > len(pools[name]) for name in pools):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in pools.items())
        sys.exit(f"make_tasks: {task} has {available} texts ({counts}), {sum(sizes.values())} were asked for; give smaller sizes")
    return {name: rows[:sizes[name]] for name, rows in pools.items()}


def few_shot(pools, test, count):
    """The first `count` rows of each class of the training pool, and as dev the next as many."""
    classes = collections.defaultdict(list)
    for row in pools["train"]:
        classes[row[-1]].append(row)
    chosen = {id(row): name for rows in classes.values() for name, part in (("train", rows[:count]), ("dev", rows[count:2 * count])) for row in part}
    picked = {name: [row for row in pools["train"] if chosen.get(id(row)) == name] for name in ("train", "dev")}
    return {"test": test, **picked}


def write_tsv(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [columns, *(row[1:] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8", newline="\n")


def describe(task, splits):
    rows = [row for part in splits.values() for row in part]
    count = collections.Counter(row[-1] for row in rows).most_common()
    words = sum(len(text.split()) for row in rows for text in row[1:-1]) / len(rows)
    sizes = ", ".join(f"{name} {len(splits[name])}" for name in ("train", "dev", "test"))
    share = lambda item: f"{item[0]} {100 * item[1] / len(rows):.1f} %"
    print(f"{task}: {sizes}; {len(count)} classes ({share(count[0])} ... {share(count[-1])}), {words:.1f} words a row")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog="Example: make_tasks.py --out data --task noun-kind --few-shot 16")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--wordnet", type=pathlib.Path, default=pathlib.Path("/usr/share/wordnet"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--task", choices=[*SIZES], action="append", help="may be repeated (default: " + " and ".join(TOPICS) + ")")
    parser.add_argument("--few-shot", type=int, metavar="K", help="also write OUT/TASK-K with K rows of each class")
    for name in ("train", "dev", "test"):
        parser.add_argument(f"--{name}", type=int, help="number of rows (default: " +
                            ", ".join(f"{sizes[name]} {task}" for task, sizes in SIZES.items()) + ")")
    args = parser.parse_args()
    if not (args.wordnet / "data.noun").is_file():
        sys.exit(f"make_tasks: no WordNet in {args.wordnet}: install Debian's package wordnet-base or give --wordnet DIR")
    if args.few_shot is not None and args.few_shot < 1:
        sys.exit("make_tasks: --few-shot must be at least 1")
    return args


def main():
    args = parse_arguments()
    tasks = args.task or [*TOPICS]
    kept = unambiguous({task: list(read_glosses(args.wordnet, task)) for task in TOPICS}) if set(tasks) & set(TOPICS) else {}
    for task in tasks:
        sizes = {name: size if getattr(args, name) is None else getattr(args, name) for name, size in SIZES[task].items()}
        if task in TOPICS:
            columns, pools = ("text", "label"), topic_pools(kept, task, sizes, args.seed)
        else:
            columns, pools = kind_pairs.COLUMNS, kind_pairs.make(args.wordnet, definition, args.seed)
        written = {task: take(task, pools, sizes)}
        if args.few_shot:
            written[f"{task}-{args.few_shot}"] = few_shot(pools, written[task]["test"], args.few_shot)
        for folder, splits in written.items():
            for name, rows in splits.items():
                write_tsv(args.out / folder / f"{name}.tsv", columns, rows)
            describe(folder, splits)


if __name__ == "__main__":
    main()
