#!/usr/bin/env python3
"""Make real base/task pairs: MiniLM fine-tuned on the WordNet tasks with plain PyTorch and transformers, and its fp16 and bf16 casts.

OUT/<pair>/<dtype>/{base,task}.safetensors for pairs a, b and dtypes fp32, fp16, bf16. Only the body: the tensors that base and task
share. The 16-bit files are the fp32 values cast, base and task each. A pair that is there is left as it is.

pair a: noun-topic, AdamW lr 5e-5, no weight decay. pair b: verb-topic, lr 2e-5, weight decay 0.01. Both: 200 steps of 16 texts in the
files' order, a rate that falls linearly to 0 (the default of transformers' Trainer), seed 1.
"""
import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAIRS = {"a": {"task": "noun-topic", "lr": 5e-5, "weight_decay": 0.0}, "b": {"task": "verb-topic", "lr": 2e-5, "weight_decay": 0.01}}
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def read_tsv(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def train(model_folder, rows, steps, batch, lr, weight_decay):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    torch.manual_seed(1)
    labels = sorted({label for _, label in rows})
    number = {label: i for i, label in enumerate(labels)}
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForSequenceClassification.from_pretrained(model_folder, num_labels=len(labels))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    losses = []
    for step in range(steps):
        part = [rows[i % len(rows)] for i in range(step * batch, (step + 1) * batch)]
        inputs = tokenizer([text for text, _ in part], padding=True, truncation=True, max_length=64, return_tensors="pt")
        loss = model(**inputs, labels=torch.tensor([number[label] for _, label in part])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"  step {step + 1}/{steps}  loss {sum(losses[-50:]) / 50:.3f}", file=sys.stderr, flush=True)
    return {name.removeprefix("bert."): value.detach() for name, value in model.state_dict().items()}, losses


def body(base, task):
    """The floating tensors of base and task that both have, with one shape."""
    names = [name for name, value in base.items() if name in task and value.is_floating_point() and task[name].shape == value.shape]
    return {name: base[name] for name in names}, {name: task[name] for name in names}


def make_pair(name, model_folder, data, out, steps, batch):
    import torch
    from safetensors.torch import load_file, save_file
    recipe = PAIRS[name]
    rows = read_tsv(data / recipe["task"] / "train.tsv")
    trained, losses = train(model_folder, rows, steps, batch, recipe["lr"], recipe["weight_decay"])
    base, task = body(load_file(model_folder / "model.safetensors"), trained)
    for short, long in DTYPES.items():
        folder = out / name / short
        folder.mkdir(parents=True, exist_ok=True)
        for role, tensors in (("base", base), ("task", task)):
            cast = {key: value.to(getattr(torch, long)).contiguous() for key, value in tensors.items()}
            save_file(cast, folder / f"{role}.safetensors", metadata={"format": "pt"})
    facts = {**recipe, "steps": steps, "batch": batch, "first_loss": sum(losses[:20]) / 20, "last_loss": sum(losses[-20:]) / 20,
             "tensors": len(base), "weights": sum(value.numel() for value in base.values())}
    (out / name / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def make(model_folder, out, names=tuple(PAIRS), threads=2, steps=200, batch=16):
    """Makes those of the named pairs that are not there yet."""
    missing = [name for name in names if not (out / name / "facts.json").is_file()]
    if not missing:
        return
    import torch
    torch.set_num_threads(threads)
    data = out / "data"
    subprocess.run([sys.executable, HERE.parents[1] / "examples/wordnet/make_tasks.py", "--out", data], check=True, stdout=sys.stderr)
    for name in missing:
        print(f"pair {name}: training {steps} steps of {batch} texts", file=sys.stderr, flush=True)
        make_pair(name, model_folder, data, out, steps, batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of MiniLM")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    make(args.model, args.out, threads=args.threads)


if __name__ == "__main__":
    main()
