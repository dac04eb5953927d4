#!/usr/bin/env python3
"""Fine-tune a sequence classifier for a few steps with plain PyTorch and transformers, and save it with save_pretrained.

This is the "somebody else's training code" of the demo: nothing here knows dstore.
"""
import argparse
import pathlib
import shutil

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def read_tsv(path):
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="TSV with the columns text and label")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rows = read_tsv(args.data)
    labels = sorted({label for _, label in rows})
    number = {label: i for i, label in enumerate(labels)}
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForSequenceClassification.from_pretrained(
        args.model, num_labels=len(labels), id2label=dict(enumerate(labels)), label2id=number)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    for step in range(args.steps):
        part = rows[step * args.batch:(step + 1) * args.batch]
        batch = tokenizer([text for text, _ in part], padding=True, truncation=True, max_length=64, return_tensors="pt")
        loss = model(**batch, labels=torch.tensor([number[label] for _, label in part])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step + 1}/{args.steps}  loss {loss.item():.4f}")
    model.save_pretrained(args.out)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (args.model / name).is_file():
            shutil.copy(args.model / name, args.out / name)


if __name__ == "__main__":
    main()
