"""Sparse changes: top-k of the real pair against other layouts, and positions against their entropy."""
import pairs
import sparse
import tensors

UNIFORM = (0.001, 0.005, 0.01, 0.05, 0.10, 0.20)
UNITS = 1 << 24
LARGE = 1 << 20
GOAL_BITS = {("fp32", 0.005): 29.5, ("bf16", 0.005): 13.5}
GOAL_UNIFORM = 1.02
GOAL_TOP = 1.04


def segment_bytes(bench, base, task, dtype, profile="compact"):
    before, after = bench.scratch / "base.safetensors", bench.scratch / "task.safetensors"
    tensors.write(before, base, dtype)
    tensors.write(after, task, dtype)
    return bench.tool("encode", before, after, profile, 1)["segment_bytes"]


def position_bits(bench, base, masks, dtype):
    """Bits for a position beyond those of its (incompressible) value."""
    count = sum(where.size for where in masks.values())
    size = segment_bytes(bench, base, sparse.task_of(base, masks, sparse.random_values(base, masks)), dtype)
    return 8 * size / count - 8 * next(iter(base.values())).itemsize


def top(bench, folder, dtype, density):
    """Rows of one density of pair a."""
    base, kind = tensors.read(folder / "base.safetensors")
    task, _ = tensors.read(folder / "task.safetensors")
    masks = sparse.top_masks(base, task, kind, density)
    count = sum(where.size for where in masks.values())
    values = {name: task[name][where] for name, where in masks.items()}
    label = f"{dtype} top {100 * density:g} %"
    ours = 8 * segment_bytes(bench, base, sparse.task_of(base, masks, values), kind) / count
    shapes = {name: entry["shape"] for name, entry in tensors.header(folder / "base.safetensors")[0].items()}
    rows = [[label, "dstore compact", f"{ours:.2f}", "1.00"]]
    for name, layout in sparse.LAYOUTS.items():
        bits = 8 * layout(masks, values, shapes) / count
        rows.append(["", name, f"{bits:.2f}", f"{bits / ours:.2f}"])
    if (dtype, density) in GOAL_BITS:
        bench.goal_at_most(f"pair a {label}: bits for each changed weight", GOAL_BITS[dtype, density], ours)
    return rows, [positions_row(bench, f"pair a {label}, all tensors", base, masks, kind, GOAL_TOP)] + [
        positions_row(bench, f"pair a {label}, tensors of 2^20 weights and more", *large(base, masks), kind, GOAL_TOP)]


def large(base, masks):
    names = [name for name, bits in base.items() if bits.size >= LARGE]
    return {name: base[name] for name in names}, {name: masks[name] for name in names}


def positions_row(bench, label, base, masks, dtype, wanted):
    count = sum(where.size for where in masks.values())
    if count == 0:
        return [label, "0", "", "", ""]
    bound = sparse.position_bound(base, masks) / count
    reached = position_bits(bench, base, masks, dtype)
    if wanted and count >= 1000:
        bench.goal_at_most(f"positions, {label}: over their entropy", wanted, reached / bound, " x")
    return [label, f"{count:,}", f"{bound:.3f}", f"{reached:.3f}", f"{reached / bound:.4f}"]


def run(bench):
    pairs.make(bench.model, bench.work / "pairs", ["a"])
    folder = bench.work / "pairs" / "a"
    layouts, positions = [], []
    for dtype, density in [("fp32", 0.005), ("bf16", 0.005)] if bench.quick else [("fp32", 0.001), ("fp32", 0.005), ("fp32", 0.05), ("bf16", 0.005)]:
        rows, more = top(bench, folder / dtype, dtype, density)
        layouts += rows
        positions += more
    for density in UNIFORM:
        base, masks = sparse.uniform_pair(UNITS, density, seed=round(1000 * density))
        positions.append(positions_row(bench, f"uniform {100 * density:g} % of 2^24 fp32", base, masks, "F32", GOAL_UNIFORM))
    bench.table("sparse changes of pair a (the weights that changed most, the rest as in the base): bits for each changed weight, all included",
                ["", "layout", "bit", "x dstore"], layouts)
    bench.table("positions: bits for each, headers and checksums counted in", ["", "changed", "entropy", "dstore", "over entropy"], positions)
