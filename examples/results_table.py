#!/usr/bin/env python3
"""A Markdown table of the tasks in the store here: what each method reached, changed and cost. Needs `dstore` on PATH."""
import json
import subprocess


def metric_of(commit):
    """The first metric, measured on the test set where there is one."""
    metrics = sorted(commit["metrics"], key=lambda metric: metric["split"] != "test")
    return metrics[0] if metrics else None


def ask(*command):
    done = subprocess.run(["dstore", *command, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def method_of(commit):
    facts = commit["training"]
    if "method" not in facts:
        return commit["message"]
    structure = {"none": ", unstructured", "matrix": ", structured"}.get(facts.get("set.structure"), "")
    return facts["method"] + structure


def full_step_seconds(commits):
    for commit in commits:
        if commit["training"].get("method") == "full":
            return step_seconds(commit)
    return None


def step_seconds(commit):
    """CPU seconds of all threads: other work on the machine does not stretch them."""
    seconds = commit["training"].get("cpu_seconds_per_step")
    return float(seconds) if seconds else None


def row(commit, full_seconds):
    facts, sizes, metric = commit["training"], commit["sizes"], metric_of(commit)
    seconds = step_seconds(commit)
    return [
        commit["refs"][0], method_of(commit), facts.get("steps", "-"),
        f"{100 * metric['value']:.2f} %" if metric and metric["name"] == "accuracy" else "-",
        f"{int(facts['selected']):,}" if "selected" in facts else "-", f"{commit['weights_changed']:,}",
        f"{sizes['stored_bytes']:,}", f"{sizes['checkpoint_bytes']:,}",
        f"{sizes['checkpoint_bytes'] / max(sizes['stored_bytes'], 1):.0f} x",
        f"{seconds / full_seconds:.2f}" if seconds and full_seconds else "-",
    ]


HEAD = ["task", "method", "steps", "accuracy", "selected", "changed", "bytes stored", "full copy", "ratio", "CPU-s/step vs full"]


def main():
    heads = [commit for commit in reversed(ask("log")) if commit["kind"] == "task" and commit["refs"]]
    tasks = [ask("show", commit["id"]) for commit in heads]
    full_seconds = full_step_seconds(tasks)
    rows = [HEAD] + [row(commit, full_seconds) for commit in tasks]
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEAD))]
    rows.insert(1, ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)])
    for line in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
