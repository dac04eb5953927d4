"""torch's ways to put values at positions, one thread: CPU nanoseconds of each round as JSON. WEIGHTS PREFIX ROUNDS"""
import json
import sys
import time

import numpy
import torch


def main():
    weights, prefix, rounds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    target = torch.zeros(weights)
    target.uniform_(-0.1, 0.1)
    where = torch.from_numpy(numpy.fromfile(prefix + ".positions", numpy.int32).astype(numpy.int64))
    values = torch.from_numpy(numpy.fromfile(prefix + ".values", numpy.float32))
    before = target[where].clone()
    eviction = torch.zeros(16 << 20)
    times = {"index_copy_": [], "index_put_": []}
    for _ in range(rounds):
        for name, action in (("index_copy_", lambda: target.index_copy_(0, where, values)),
                             ("index_put_", lambda: target.index_put_((where,), values))):
            target[where] = before
            eviction.add_(1)
            start = time.process_time_ns()
            action()
            times[name].append(time.process_time_ns() - start)
    if not torch.equal(target[where], values):
        raise SystemExit("torch_scatter: the values did not arrive")
    print(json.dumps(times))


if __name__ == "__main__":
    main()
