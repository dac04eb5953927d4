"""Step time and peak memory of dstore-train against the same loop in Python with torch and transformers.

Usage: train_step.py --bin FOLDER --model FOLDER [--data FILE.tsv] [--tokens N,...] [--steps 20] [--batch 32] [--threads N] [--rounds 3] [--rows WORDS]

Without --data: 4,000 noun glosses of WordNet as examples/wordnet makes them. --tokens joins texts and cuts them to exactly N tokens: no padding; a table for each N.
Both sides train the same model on the very same batches (dstore's order, made again in training_order.py), with AdamW,
clipping and a linear schedule. The rounds alternate, so that load on the machine hits both. A time is CPU seconds (user + system) of a run of
2 * STEPS steps minus one of STEPS steps, divided by STEPS: start-up cancels. Prints a table; ratios are to its first line, Python's unless --rows leaves that out.
"""
import argparse
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import tempfile

import training_order

SEED = 1
QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def wordnet(folder):
    """4,000 noun glosses, in a new file."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "wordnet", "make_tasks.py")
    subprocess.run([sys.executable, script, "--out", folder, "--task", "noun-topic", "--train", "4000", "--dev", "10", "--test", "10"], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(folder, "noun-topic", "train.tsv")


def python_loop(folder, data, steps, batch, threads, tokens):
    """The baseline: what a careful user of transformers writes."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_scheduler

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    rows = [line.rstrip("\n").split("\t") for line in open(data, encoding="utf-8")][1:]
    names = sorted({label for _, label in rows})
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer([text for text, _ in rows], truncation=True, max_length=tokens)["input_ids"]
    examples = [(x, names.index(label)) for x, (_, label) in zip(ids, rows)]
    batches = training_order.batches([len(x) for x in ids], batch, SEED)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.0)
    scheduler = get_scheduler("linear", optimizer, num_warmup_steps=round(0.06 * steps), num_training_steps=steps)
    for step in range(steps):
        chosen = [examples[i] for i in batches[step % len(batches)]]
        width = max(len(x) for x, _ in chosen)
        input_ids = torch.zeros(len(chosen), width, dtype=torch.long)
        mask = torch.zeros_like(input_ids)
        for i, (x, _) in enumerate(chosen):
            input_ids[i, :len(x)] = torch.tensor(x)
            mask[i, :len(x)] = 1
        out = model(input_ids=input_ids, attention_mask=mask, labels=torch.tensor([y for _, y in chosen]))
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()


def measure(command):
    """CPU seconds and peak bytes of one process."""
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(error.decode())
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def command(options, method, steps):
    return [options.train, "train", options.model, "--data", options.data, "--method", method[0], *method[1:], "--steps", str(steps),
            "--batch", str(options.batch), "--threads", str(options.threads), "--seed", str(SEED), "--max-length", str(options.tokens or 128), "-q"]


def dstore(options, method, steps):
    with tempfile.TemporaryDirectory() as out:
        return measure([*command(options, method, steps), "--out", out])


def python(options, _, steps):
    return measure([sys.executable, __file__, "--baseline", "--bin", options.bin, "--model", options.model, "--data", options.data, "--steps", str(steps),
                    "--batch", str(options.batch), "--threads", str(options.threads), "--tokens", str(options.tokens or 128)])


def joined(path, out, tokens):
    """The texts with so many of their successors behind them that each has more than `tokens` tokens."""
    rows = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")][1:]
    with open(out, "w", encoding="utf-8") as file:
        file.write("text\tlabel\n")
        for i, (_, label) in enumerate(rows):
            text, at = "", i
            while len(text.split()) < tokens:
                text += " " + rows[at % len(rows)][0]
                at += 1
            file.write(f"{text.strip()}\t{label}\n")
    return out


def find_data(options, folder):
    options.data = options.data or wordnet(folder)
    if options.tokens:
        options.data = joined(options.data, os.path.join(folder, f"joined-{options.tokens}.tsv"), options.tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bin", required=True, help="folder of dstore-train")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--data", help="TSV with the columns text and label")
    parser.add_argument("--tokens", help="length of every text, or lengths joined by commas; else as the texts are, up to 128")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", help="only the lines that contain one of these texts, joined by semicolons")
    options = parser.parse_args()
    lengths = [int(length) for length in options.tokens.split(",")] if options.tokens else [None]
    if options.baseline:
        python_loop(options.model, options.data, options.steps, options.batch, options.threads, lengths[0])
        return
    options.train = os.path.join(options.bin, "dstore-train")
    with tempfile.TemporaryDirectory() as folder:
        texts = options.data or wordnet(folder)
        for options.tokens in lengths:
            options.data = texts
            find_data(options, folder)
            compare(options)


def compare(options):
    rows = {
        "python, full": (python, None),
        "dstore, full": (dstore, ["full"]),
        "dstore, diff-pruning, gates": (dstore, ["diff-pruning", "--set", "mask_share=0"]),
        "dstore, diff-pruning, both stages": (dstore, ["diff-pruning"]),
        "dstore, random-mask": (dstore, ["random-mask"]),
        "dstore, fish (its steps)": (dstore, ["fish", "--set", "samples=64"]),
        "dstore, lt-sft, second phase": (dstore, ["lt-sft", "--set", "mask_share=0.99"]),
        "dstore, last-layer": (dstore, ["last-layer"]),
        "dstore, bitfit": (dstore, ["bitfit"]),
        "dstore, far, 10 % learners": (dstore, ["far"]),
        "dstore, far, 40 % learners": (dstore, ["far", "--set", "learners=0.4"]),
        "dstore, full, --accumulate 4": (dstore, ["full", "--accumulate", "4"]),
        "dstore, full, checkpointing": (dstore, ["full", "--checkpoint-activations"]),
        "dstore, full, bf16": (dstore, ["full", "--precision", "bf16"]),
    }
    if options.rows:
        rows = {name: row for name, row in rows.items() if any(word in name for word in options.rows.split(";"))}
    first = next(iter(rows), None) or sys.exit("train_step.py: no line contains a word of --rows")
    times, peaks = {name: [] for name in rows}, {name: 0 for name in rows}
    for _ in range(options.rounds):
        for name, (run, method) in rows.items():
            short, _ = run(options, method, options.steps)
            long, peak = run(options, method, 2 * options.steps)
            times[name].append((long - short) / options.steps)
            peaks[name] = max(peaks[name], peak)
    base = statistics.median(times[first])
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    print(f"{versions}, {platform.machine()}, {options.threads} threads, batch {options.batch}, {options.tokens or 'up to 128'} tokens, {options.steps} steps, median of {options.rounds}")
    print(f"{'':36}{'CPU s/step':>11}{'ratio':>8}{'peak MB':>9}{'ratio':>8}")
    for name in rows:
        seconds = statistics.median(times[name])
        print(f"{name:36}{seconds:11.3f}{seconds / base:8.2f}{peaks[name] / 1e6:9.0f}{peaks[name] / peaks[first]:8.2f}", flush=True)


if __name__ == "__main__":
    main()
