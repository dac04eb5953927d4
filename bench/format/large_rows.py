"""What needs size: synthetic checkpoints, applying in memory, extraction, position decoding, memory."""
import pathlib
import shutil
import sys

import report
import synthetic
import tensors
import tool

GOAL_RL = 130          # times smaller than raw, sparse-1
GOAL_SCATTER = 1.5     # times the plain scatter
GOAL_EXTRACT = 2       # times cmp
GOAL_DECODE = {"compact": 4.0, "rice avx2": 4.0, "rice plain": 1.5}  # GB/s of positions
GOAL_MEMORY = 256      # MB


def checkpoints(bench):
    for size in ["tiny" if bench.quick else "1GB", *(["4GB"] if bench.large else [])]:
        folder, rows = bench.work / "synthetic" / size, []
        base = synthetic.make(folder, size, "base")
        for task in synthetic.TASKS:
            path = synthetic.make(folder, size, task)
            for profile in bench.profiles():
                found = bench.tool("encode", base, path, profile, 3)
                raw, stored, changed = found["raw_bytes"], found["segment_bytes"], found["changed"]
                coo = changed * 10
                rows.append([f"{task}, {profile}", f"{100 * changed / found['units']:.2f} %", f"{stored:,}", f"{8 * stored / changed:.2f}",
                             f"{raw / stored:.1f}", f"{coo / stored:.2f}", tool.seconds(found["encode"]).per(raw / 1e6)])
                if task == "sparse-1" and profile == "compact":
                    bench.goal_at_least(f"{size} bf16, 1 % changed by 1..3 ulp: times smaller than raw", GOAL_RL, raw / stored, " x")
        bench.table(f"Llama-shaped bf16 checkpoint of {tensors.data_bytes(base).size:,} bytes", ["", "changed", "bytes", "bit/change",
                    "times smaller", "COO is x", "encode MB/s"], rows)


def scatter(bench):
    weights, rounds, prefix = 11_000_000 if bench.quick else 110_000_000, 5 if bench.quick else 9, bench.scratch / "scatter"
    ours = bench.tool("scatter", weights, 5, rounds, prefix)
    torch = tool.call(sys.executable, pathlib.Path(__file__).with_name("torch_scatter.py"), weights, prefix, rounds)
    plain = tool.seconds(ours["scatter"])
    lines = {"plain int32 scatter (C++)": plain,
             **{f"dstore apply, {profile}, all checks": tool.seconds(ours[f"apply {profile}"]) for profile in bench.profiles()},
             "torch index_copy_": tool.seconds(torch["index_copy_"]), "torch index_put_": tool.seconds(torch["index_put_"])}
    bench.table(f"0.5 % of {weights:,} fp32 weights put in place in memory, one core", ["", "CPU ms", "x plain scatter", "ns a change"],
                [[name, tool.Spread([1e3 * value for value in time.values]), f"{time.median / plain.median:.2f}",
                  f"{1e9 * time.median / ours['changed']:.2f}"] for name, time in lines.items()])
    fastest = min(lines["torch index_copy_"].median, lines["torch index_put_"].median)
    for profile in bench.profiles():
        reached = lines[f"dstore apply, {profile}, all checks"].median
        bench.goal_at_most(f"apply 0.5 % in memory, {profile}: times the plain scatter", GOAL_SCATTER, reached / plain.median, " x")
        bench.goal(f"apply 0.5 % in memory, {profile}: against torch", "faster", f"{fastest / reached:.2f} x as fast", reached < fastest)


def extraction(bench):
    folder = bench.work / "synthetic" / ("tiny" if bench.quick else "1GB")
    base, task = synthetic.make(folder, folder.name, "base"), synthetic.make(folder, folder.name, "sparse-0.5")
    twin = bench.scratch / "twin.safetensors"
    shutil.copy(base, twin)
    times = {"cmp of two equal files": [], **{f"dstore extraction, {profile}": [] for profile in bench.profiles()}}
    for _ in range(3):
        times["cmp of two equal files"].append(tool.Child("cmp", base, twin).cpu)
        for profile in bench.profiles():
            times[f"dstore extraction, {profile}"].append(tool.Child(bench.programme, "encode", base, task, profile, 1).cpu)
    twin.unlink()
    compare = tool.Spread(times["cmp of two equal files"])
    bench.table(f"extraction of a 0.5 % delta from two files of {base.stat().st_size:,} bytes (cached), whole processes", ["", "CPU s", "x cmp"],
                [[name, tool.Spread(values), f"{tool.Spread(values).median / compare.median:.2f}"] for name, values in times.items()])
    for profile in bench.profiles():
        reached = tool.Spread(times[f"dstore extraction, {profile}"]).median / compare.median
        bench.goal_at_most(f"extraction of 0.5 %, {profile}: times cmp", GOAL_EXTRACT, reached, " x")


def position_decode(bench):
    rows = []
    for permille in (1, 5, 50, 200):
        found = bench.tool("positions", 1 << 24, permille, 5)
        times = {name: tool.seconds(values) for name, values in found["times"].items()}
        for name, stored in found["bytes"].items():
            speed = times[name].per(found["output_bytes"] / 1e9)
            rows.append([f"{permille / 10:g} %, {name}", f"{found['positions']:,}", f"{8 * stored / found['positions']:.2f}", speed,
                         f"{times[name].median / times['memcpy'].median:.1f}"])
            if permille == 5 and name in GOAL_DECODE:
                bench.goal_at_least(f"position decode at 0.5 %, {name}, one core", GOAL_DECODE[name], speed.median, " GB/s")
    bench.table("decoding of random positions to 32-bit integers, one core; memcpy copies the same output", ["", "positions", "bit", "GB/s of output",
                "over memcpy"], rows)


def memory(bench):
    folder = bench.work / "synthetic" / ("tiny" if bench.quick else "1GB")
    base, rows = synthetic.make(folder, folder.name, "base"), []
    store = report.new_store(bench, base, "memory")
    for task in ("sparse-0.5", "noise"):
        path = synthetic.make(folder, folder.name, task)
        peaks = {f"library, {profile}": bench.tool("memory", base, path, profile)["anonymous_peak"] for profile in bench.profiles()}
        changed = report.folder_of(bench, path, f"memory-{task}")
        commit = ("commit", changed, "--base", "base", "--name", task, "-m", task)
        peaks["dstore commit"] = tool.Child(bench.dstore, "-C", store, *commit, watch_memory=True).anonymous
        out = bench.scratch / f"memory-{task}-out"
        peaks["dstore checkout"] = tool.Child(bench.dstore, "-C", store, "checkout", task, "-o", out, watch_memory=True).anonymous
        shutil.rmtree(out)
        for name, peak in peaks.items():
            rows.append([f"{task}: {name}", f"{peak / 1e6:.0f}"])
            bench.goal_at_most(f"peak memory, {task}, {name}", GOAL_MEMORY, peak / 1e6, " MB")
    shutil.rmtree(store)
    bench.table(f"peak of memory that is no file's, checkpoint of {base.stat().st_size:,} bytes", ["", "MB"], rows)

