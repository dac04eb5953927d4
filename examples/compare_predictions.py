#!/usr/bin/env python3
"""Classify a TSV with transformers' AutoModelForSequenceClassification and compare with the predictions of `dstore eval`."""
import argparse
import pathlib
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def read_table(path):
    """(column names, rows) of a TSV."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return lines[0], lines[1:]


TIE = 1e-4  # logits nearer than this may come out in either order: the two programs add up in different orders


@torch.inference_mode()
def classify(folder, texts, batch=64):
    """[(label, logits)] of every text; texts of similar length share a batch."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = [None] * len(texts)
    for start in range(0, len(order), batch):
        part = order[start:start + batch]
        logits = model(**tokenizer([texts[i] for i in part], padding=True, truncation=True, return_tensors="pt")).logits
        for i, row in zip(part, logits):
            found[i] = model.config.id2label[int(row.argmax())], row.tolist()
    return found


def tied(row):
    first, second = sorted(row)[-1:-3:-1]
    return first - second < TIE


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a checked-out folder")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="TSV with the columns text and label")
    parser.add_argument("--predictions", type=pathlib.Path, required=True, help="what dstore eval wrote")
    args = parser.parse_args()
    head, data = read_table(args.data)
    text, gold = head.index("text"), head.index("label")
    head, ours = read_table(args.predictions)
    label, logits = head.index("label"), [i for i, name in enumerate(head) if name.startswith("logit_")]
    theirs = classify(args.model, [row[text] for row in data])
    if len(ours) != len(theirs):
        sys.exit(f"compare_predictions: {len(ours)} predictions for {len(theirs)} texts")
    differ = [mine for mine, (other, _) in zip(ours, theirs) if mine[label] != other]
    unexplained = [mine for mine in differ if not tied([float(mine[i]) for i in logits])]
    largest = max(abs(float(mine[i]) - x) for mine, (_, row) in zip(ours, theirs) for i, x in zip(logits, row))
    accuracy = sum(other == row[gold] for (other, _), row in zip(theirs, data)) / len(data)
    print(f"transformers: accuracy {accuracy:.4f}; {len(theirs) - len(differ)} of {len(theirs)} predictions equal those of "
          f"dstore eval; largest difference of a logit {largest:.1e}")
    return 1 if unexplained or largest > 1e-3 else 0


if __name__ == "__main__":
    sys.exit(main())
