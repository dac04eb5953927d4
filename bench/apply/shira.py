"""PEFT's SHiRA adapter with the same positions and differences: merge and unmerge in place, one thread. WEIGHTS PREFIX ROUNDS → JSON"""
import json
import sys
import time

import numpy
import torch
from peft import ShiraConfig, get_peft_model


def main():
    weights, prefix, rounds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    columns = 1024
    rows = weights // columns
    base = torch.from_numpy(numpy.fromfile(prefix + ".base", numpy.float32)[:rows * columns])
    where = torch.from_numpy(numpy.fromfile(prefix + ".positions", numpy.int32).astype(numpy.int64))
    values = torch.from_numpy(numpy.fromfile(prefix + ".values", numpy.float32))
    inside = where < rows * columns
    where, values = where[inside], values[inside]
    model = torch.nn.Sequential()
    model.add_module("layer", torch.nn.Linear(columns, rows, bias=False))
    model.layer.weight.data.copy_(base.view(rows, columns))

    def mask(layer, r, **_):
        chosen = torch.zeros(rows * columns)
        chosen[where] = 1
        return chosen.view(rows, columns)

    config = ShiraConfig(r=1, mask_type="random", target_modules=["layer"])
    config.mask_fn = mask
    try:
        peft = get_peft_model(model, config)
    except ValueError as error:  # more weights than r * (rows + columns)
        raise SystemExit(f"shira: {error}")
    layer = peft.base_model.model.layer
    layer.shira_indices["default"] = torch.stack([where // columns, where % columns]).to(torch.int)
    layer.shira_weight["default"] = torch.nn.Parameter(values - base[where])
    times = {"PEFT merge": [], "PEFT unmerge": []}
    for _ in range(rounds):
        layer.weight.data.copy_(base.view(rows, columns))
        start = time.process_time_ns()
        layer.merge()
        times["PEFT merge"].append(time.process_time_ns() - start)
        wrong_task = int((layer.weight.data.view(-1)[where].view(torch.int32) != values.view(torch.int32)).sum())
        start = time.process_time_ns()
        layer.unmerge()
        times["PEFT unmerge"].append(time.process_time_ns() - start)
        wrong_base = int((layer.weight.data.view(-1)[where].view(torch.int32) != base[where].view(torch.int32)).sum())
    print(json.dumps({**times, "changed": len(where), "wrong_task": wrong_task, "wrong_base": wrong_base}))


if __name__ == "__main__":
    main()
