#!/usr/bin/env python3
"""PEFT's SHiRA adapter merged into fp32 weights and taken off again, as one JSON object: CPU nanoseconds of each round, weights wrong after unmerge.

    shira.py WEIGHTS PERMILLE ROUNDS     12 square layers of that many weights together, one thread

Runs in an environment with PEFT.
"""
import json
import sys
import time

import torch
from peft import ShiraConfig, get_peft_model

LAYERS = 12


class Model(torch.nn.Module):
    def __init__(self, side):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(side, side, bias=False, dtype=torch.float32) for _ in range(LAYERS))


def timed(action):
    start = time.process_time_ns()
    action()
    return time.process_time_ns() - start


def main():
    weights, permille, rounds = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    side = round((weights / LAYERS) ** 0.5)
    rank = max(1, round(permille / 1000 * side / 2))  # SHiRA's r: an adapter has r * (rows + columns) values
    model = Model(side)
    for layer in model.layers:
        torch.nn.init.normal_(layer.weight, std=0.05)
    base = [layer.weight.detach().clone() for layer in model.layers]
    adapted = get_peft_model(model, ShiraConfig(r=rank, mask_type="random", random_seed=1, target_modules=r"layers\.\d+"))
    values = [value for name, value in adapted.named_parameters() if "shira_" in name]
    for value in values:
        torch.nn.init.normal_(value, std=3e-4)
    result = {"merge": [], "unmerge": [], "changed": sum(value.numel() for value in values), "weights": LAYERS * side * side, "wrong": 0}
    for _ in range(rounds):
        result["merge"].append(timed(adapted.merge_adapter))
        result["unmerge"].append(timed(adapted.unmerge_adapter))
        wrong = 0
        for layer, old in zip(model.layers, base):
            weight = layer.get_base_layer().weight.data
            wrong += int((weight.view(torch.int32) != old.view(torch.int32)).sum())
            weight.copy_(old)
        result["wrong"] = max(result["wrong"], wrong)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
