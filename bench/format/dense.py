"""The real pairs, whole: bytes of every encoder, what a commit adds, and speeds."""
import shutil

import numpy

import machine
import pairs
import peers
import report
import tensors
import tool

GOAL_RATIO = {"fp32": 2.8, "fp16": 3.8, "bf16": 6.4}  # on pair a
GOAL_APPLY = {"compact": {"fp32": 1.5, "bf16": 1.0}, "fast": {"fp32": 3.0, "fp16": 3.0, "bf16": 3.0}}  # GB/s, one core
GOAL_ENCODE = {"compact": 0.5, "fast": 1.0}
CLASSES = 12
BLOCK = 1 << 18
GROUP = 128


def token_bits(residual):
    """Token (the value itself below 16, else its bit length) and the bits that follow it."""
    length = numpy.frexp(residual.astype(numpy.float64))[1]
    return numpy.where(residual < 16, residual, 11 + length), numpy.where(residual < 16, 0, length - 1)


def entropy_bytes(base, task, dtype):
    """Entropy of the integer differences given the class of the base's exponent, in blocks, all-equal groups left out (a bit for each):
    what a coder with those contexts and ideal codes would take."""
    mantissa, exponent_bits = tensors.EXPONENT[dtype]
    bits = 0.0
    for name in base:
        for start in range(0, base[name].size, BLOCK):
            old, new = (side[name][start:start + BLOCK] for side in (base, task))
            groups = numpy.add.reduceat(old != new, numpy.arange(0, old.size, GROUP)) > 0
            bits += groups.size
            keep = numpy.repeat(groups, GROUP)[:old.size]
            if not keep.any():
                continue
            old, new = old[keep], new[keep]
            difference = (tensors.ordered(new) - tensors.ordered(old)).view(f"<i{old.itemsize}").astype(numpy.int64)
            token, extra = token_bits(numpy.where(difference < 0, -2 * difference - 1, 2 * difference))
            exponent = (old >> mantissa).astype(numpy.int64) & ((1 << exponent_bits) - 1)
            classes = numpy.minimum(CLASSES - 1, exponent.max() - exponent)
            counts = numpy.bincount(classes * 128 + token, minlength=CLASSES * 128).reshape(CLASSES, 128)
            share = counts / numpy.maximum(1, counts.sum(1, keepdims=True))
            bits += extra.sum() - (counts * numpy.log2(numpy.where(share > 0, share, 1))).sum()
    return int(bits / 8)


def commit_bytes(bench, base, task, name):
    """{profile: what its commit adds to the packs of a store that holds the base}."""
    added = {}
    for profile in bench.profiles():
        store = report.new_store(bench, base, f"{name}-{profile}")
        before = report.pack_bytes(store)
        folder = report.folder_of(bench, task, f"{name}-{profile}-task")
        machine.run(bench.dstore, "-C", store, "commit", folder, "--base", "base", "--name", "task", "-m", "task", "--profile", profile)
        added[profile] = report.pack_bytes(store) - before
        shutil.rmtree(store)
    return added


def one(bench, pair, dtype):
    folder = bench.work / "pairs" / pair / dtype
    base, task = folder / "base.safetensors", folder / "task.safetensors"
    before, kind = tensors.read(base)
    raw = sum(bits.nbytes for bits in before.values())
    units = sum(bits.size for bits in before.values())
    rounds = 3 if bench.quick else 5
    rows, speeds, ours, theirs = [], [], {}, {}

    def row(name, size, encode=None, decode=None):
        rows.append([name, f"{size:,}", f"{8 * size / units:.3f}", f"{raw / size:.2f}",
                     encode.per(raw / 1e6) if encode else "", decode.per(raw / 1e6) if decode else ""])

    for profile in bench.profiles():
        encoded = bench.tool("encode", base, task, profile, rounds)
        applied = bench.tool("apply", base, task, profile, rounds)
        ours[profile] = {"bytes": encoded["segment_bytes"], "changed": encoded["changed"], "encode": tool.seconds(encoded["encode"]),
                         **{key: tool.seconds(applied[key]) for key in ("apply1", "memcpy", "apply1_wall", "apply2_wall")}}
        row(f"dstore {profile}", encoded["segment_bytes"], ours[profile]["encode"], ours[profile]["apply1"])
    for profile, size in commit_bytes(bench, base, task, f"{pair}-{dtype}").items():
        row(f"dstore commit, {profile}: all that it adds", size)
    row("entropy given the base's exponent", entropy_bytes(before, tensors.read(task)[0], kind))
    for name, (needed, _, slow) in peers.PEERS.items():
        if bench.versions[needed] is None:
            rows.append([name, "not there", "", "", "", ""])
        elif not (slow and bench.quick):
            theirs[name] = bench.peer(name, base, task, 1 if slow else rounds)
            row(name, theirs[name]["bytes"], tool.seconds(theirs[name]["encode"]), tool.seconds(theirs[name]["decode"]))
    changed = ours["compact"]["changed"]
    bench.table(f"pair {pair}, {dtype}: {raw:,} bytes, {changed:,} of {units:,} weights changed ({100 * changed / units:.1f} %)",
                ["", "bytes", "bit/weight", "times smaller", "encode MB/s", "decode MB/s"], rows)
    judge(bench, pair, dtype, raw, ours, theirs)
    for profile, mine in ours.items():
        speeds.append([f"pair {pair} {dtype}, {profile}", mine["encode"].per(raw / 1e6),
                       against(mine, theirs, "zstd -3"), against(mine, theirs, "ZipNN"),
                       mine["apply1"].per(raw / 1e6), f"{mine['apply1'].median / mine['memcpy'].median:.1f}",
                       f"{mine['apply1_wall'].median / mine['apply2_wall'].median:.2f}"])
    return speeds


def against(mine, theirs, name):
    return f"{tool.seconds(theirs[name]['encode']).median / mine['encode'].median:.2f}" if name in theirs else "not there"


def judge(bench, pair, dtype, raw, ours, theirs):
    compact = ours["compact"]
    if theirs:
        best = min(theirs, key=lambda name: theirs[name]["bytes"])
        bench.goal(f"pair {pair} {dtype}: smallest of all", f"< {best}, {raw / theirs[best]['bytes']:.2f} x", f"{raw / compact['bytes']:.2f} x",
                   compact["bytes"] < theirs[best]["bytes"])
    if pair != "a":
        return
    bench.goal_at_least(f"pair a {dtype}: times smaller than the file", GOAL_RATIO[dtype], raw / compact["bytes"], " x")
    for profile, mine in ours.items():
        if dtype in GOAL_APPLY.get(profile, {}):
            bench.goal_at_least(f"pair a {dtype}: decode and apply, {profile}, one core", GOAL_APPLY[profile][dtype],
                                raw / 1e9 / mine["apply1"].median, " GB/s")
        if profile in GOAL_ENCODE:
            bench.goal_at_least(f"pair a {dtype}: encode, {profile}, one core", GOAL_ENCODE[profile], raw / 1e9 / mine["encode"].median, " GB/s")
    bench.goal_at_least(f"pair a {dtype}: two cores against one (wall)", 1.8, compact["apply1_wall"].median / compact["apply2_wall"].median, " x")


def run(bench):
    names = ["a"] if bench.quick else list(pairs.PAIRS)
    pairs.make(bench.model, bench.work / "pairs", names)
    speeds = []
    for pair in names:
        for dtype in pairs.DTYPES:
            speeds += one(bench, pair, dtype)
    bench.table("speeds on one core, CPU seconds; x: times as fast as that peer; memcpy: CPU time of apply over that of copying the base",
                ["", "encode MB/s", "x zstd -3", "x ZipNN", "apply MB/s", "over memcpy", "two cores x (wall)"], speeds)
