"""dstore study: the grid, its learning rates, going on after kill -9 and after changes of the file, and what it refuses."""
import csv
import json
import os
import pathlib
import signal
import statistics
import subprocess
import time
import unittest

import safetensors_file as st
import sandbox
import tiny_bert
from stats_test import Page
from sandbox import DONE, DSTORE, FINDINGS, NOT_FOUND, USAGE, Case

FILE = """\
name: colours
base: tiny
steps: 6
batch: 8
eval_every: 3
train_sample: 20
seeds: [1, 2]
threads: 1
choose_lr: {steps: 3, seed: 1}
tasks:
  topic: {train: train.tsv, dev: dev.tsv, test: test.tsv}
  few:
    train: few.tsv
    dev: dev.tsv
    test: test.tsv
    learning_rates_of: topic
    steps: 4
    sweep: no
    methods: [full, head]
methods:
  full: {method: full, lr: [1e-3, 5e-3]}
  fish: {method: fish, density: 5%, set: {samples: 8}, lr: 1e-2, sweep: [1%], sweep_seeds: 1}
  random: {method: random-mask, density: 5%, lr: 1e-2}
  head: {method: head}
questions:
  - {ask: "Fish within ten points of full?", compare: fish, with: full, at_least: -10}
  - {ask: "Fish above random?", compare: fish, with: random, above: 0}
"""
sandbox.TIMEOUT = 600  # one command is many trainings
CELLS = ["topic/full/lr-0.001", "topic/full/lr-0.005",
         *[f"topic/{method}/seed-{seed}" for seed in (1, 2) for method in ("full", "fish", "random", "head")],
         *[f"few/{method}/seed-{seed}" for seed in (1, 2) for method in ("full", "head")], "topic/fish/1/seed-1"]


@unittest.skipUnless((pathlib.Path(DSTORE).parent / "dstore-train").exists(), "built without the trainer")
class Studies(Case):
    def setUp(self):
        super().setUp()
        self.model = tiny_bert.write_model(self.rng, self.root / "model")
        self.make_repository(self.repo)
        self.file = self.write(FILE)
        self.tables(self.repo)

    def make_repository(self, folder):
        self.run_plain("init", folder)
        self.assertEqual(self.run_plain("-C", folder, "import", self.model, "--name", "tiny").code, DONE)

    def tables(self, folder):
        for name, count in (("train", 120), ("dev", 40), ("test", 60), ("few", 24)):
            tiny_bert.write_table(self.rng, folder / f"{name}.tsv", count)

    def write(self, text, name="study.yml"):
        (self.repo / name).write_text(text)
        return name

    def study(self, *words, code=DONE):
        result = self.run_in("study", self.file, *words)
        self.assertEqual(result.code, code, str(result))
        return result

    def cells(self, *words):
        result = self.run_in("study", self.file, "--dry-run", "--json", *words)
        self.assertIn(result.code, (DONE, FINDINGS), str(result))
        self.assertEqual(result.code == DONE, result.json["left"] == 0)
        return {cell["name"]: cell for cell in result.json["cells"]}

    def commits(self, *words):
        return {name: cell["commit"] for name, cell in self.cells(*words).items()}

    def weights(self, name):
        return self.ok("show", "study/colours/" + name, "--json").json["weights"]


class StudyTest(Studies):
    def test_it_runs_the_grid_into_commits(self):
        before = self.cells()
        self.assertEqual(list(before), CELLS)
        self.assertEqual(before["topic/full/seed-1"]["state"], "waiting")
        self.assertEqual(before["topic/fish/seed-1"]["state"], "to do")
        text = self.study().text
        self.assertIn(f"all {len(CELLS)} cells are done", text)
        self.assertEqual(text.count("\n"), len(CELLS) + 1)
        after = self.cells()
        self.assertEqual(list(after), CELLS)
        rates = {name: cell["dev"] for name, cell in after.items() if "/lr-" in name}
        best = max(rates, key=lambda name: (rates[name], name == "topic/full/lr-0.001"))
        for name, cell in after.items():
            with self.subTest(name):
                self.assertEqual(cell["state"], "done")
                commit = self.ok("show", "study/colours/" + name, "--json").json
                facts = commit["training"]
                self.assertEqual(commit["id"], cell["commit"])
                self.assertEqual((facts["seed"], facts["steps"]), (str(cell["seed"]), str(cell["steps"])))
                splits = {metric["split"] for metric in commit["metrics"]}
                self.assertEqual(splits, {"dev"} if "/lr-" in name else {"dev", "test", "train"})
                if "full/seed" in name:
                    self.assertEqual(float(facts["lr"]), float(best.split("-", 1)[1]))
                if "fish/1/" in name:
                    self.assertEqual(facts["density"], "0.01")
        self.assertEqual([cell["steps"] for name, cell in after.items() if name.startswith("few/")], [4] * 4)
        # Nothing is left: nothing is done again.
        self.study("--json")
        self.assertEqual(self.commits(), {name: cell["commit"] for name, cell in after.items()})
        self.assertEqual(self.ok("verify").code, DONE)

    def test_changes_of_the_file_redo_only_what_changed(self):
        self.study("--only", "topic/[fr]*/seed-1")
        before = self.commits("--only", "topic/*/seed-1")
        self.assertIsNone(before["topic/head/seed-1"])
        self.assertIsNotNone(before["topic/full/lr-0.001"])  # what a run waits for is run too
        self.write(FILE.replace("samples: 8", "samples: 4"))
        fish = {"topic/fish/seed-1", "topic/fish/1/seed-1"}
        self.assertEqual({name for name, commit in self.commits("--only", "topic/*/seed-1").items() if commit != before[name]}, fish)
        self.study("--only", "topic/fish/seed-1")
        after = self.commits("--only", "topic/*/seed-1")
        self.assertEqual({name for name, commit in after.items() if commit != before[name]}, fish)
        # Another training file: every run on it.
        tiny_bert.write_table(self.rng, self.repo / "train.tsv", 130)
        self.assertEqual({cell["state"] for cell in self.cells("--only", "topic/*").values()}, {"to do", "waiting"})

    def test_a_cell_that_cannot_be_trained_is_recorded(self):
        self.write(FILE.replace("lr: [1e-3, 5e-3]", "lr: [1e30, 5e-3]").replace("5%, lr: 1e-2}", "5%, lr: 1e30}"))
        text = self.study("--only", "topic/*/seed-1").text
        self.assertIn("topic/full/lr-1e30  failed: ", text)
        self.assertIn("not finite", text)
        cells = self.cells("--only", "topic/*/seed-1")
        self.assertEqual(cells["topic/full/lr-1e30"]["state"], "failed")
        self.assertIn("not finite", cells["topic/full/lr-1e30"]["error"])
        self.assertEqual((cells["topic/full/seed-1"]["state"], cells["topic/full/seed-1"]["lr"]), ("done", 0.005))
        self.assertEqual(cells["topic/random/seed-1"]["state"], "failed")
        self.assertEqual(self.weights("topic/random/seed-1"), self.ok("show", "tiny", "--json").json["weights"])
        before = self.commits()
        self.study("--only", "topic/*/seed-1")
        self.assertEqual(self.commits(), before)
        self.assertEqual(self.ok("verify").code, DONE)

    def test_a_limit_stops_between_cells(self):
        text = self.study("--max-minutes", "0.0001", code=FINDINGS).text
        self.assertIn(f"{len(CELLS) - 1} of {len(CELLS)} cells are left", text)
        self.study("--max-minutes", "0.0001", "--only", "topic/head/*", code=FINDINGS)
        self.study("--max-minutes", "5", "--only", "topic/head/*")


class KilledTest(Studies):
    def test_killed_and_started_again_it_gives_the_same_weights(self):
        self.study()
        whole = {name: self.weights(name) for name in CELLS}
        self.repo = self.root / "again"
        self.make_repository(self.repo)
        for name in ("train.tsv", "dev.tsv", "test.tsv", "few.tsv", "study.yml"):
            (self.repo / name).write_bytes((self.root / "repo" / name).read_bytes())
        kills = 0
        while any(cell["state"] != "done" for cell in self.cells().values()):
            child = subprocess.Popen(self.command(["study", self.file]), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            # After two or three cells, at any moment of the next one.
            for _ in range(self.rng.randint(2, 3)):
                child.stdout.readline()
            time.sleep(self.rng.uniform(0, 0.5))
            child.send_signal(signal.SIGKILL)
            child.communicate()
            kills += child.returncode == -signal.SIGKILL
        self.assertGreater(kills, 1)
        self.assertEqual({name: self.weights(name) for name in CELLS}, whole)
        self.assertEqual(self.ok("verify").code, DONE)

    def test_a_signal_ends_it_with_what_is_done_kept(self):
        child = subprocess.Popen(self.command(["study", self.file]), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        child.stdout.readline()
        os.killpg(child.pid, signal.SIGINT)  # as Ctrl-C does
        _, err = child.communicate()
        self.assertEqual(child.returncode, 130, err)
        self.assertRegex(err.decode(), r"\Adstore: interrupted[^\n]*\n\Z")
        self.assertGreater(sum(cell["state"] == "done" for cell in self.cells().values()), 0)


def splitmix():
    state, mask = 0, (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def interval(a, b):
    """docs/study.md, "Intervals": difference, low and high of rows of '1' and '0', one for each seed."""
    d = [[int(x) - int(y) for x, y in zip(p, q)] for p, q in zip(a, b)]
    seeds, texts = len(d), len(d[0])
    numbers = splitmix()

    def draw(count):
        return ((next(numbers) >> 32) * count) >> 32

    means = []
    for _ in range(10_000):
        rows = [d[draw(seeds)] for _ in range(seeds)]
        sums = [sum(column) for column in zip(*rows)]
        means.append(sum(sums[draw(texts)] for _ in range(texts)) / (seeds * texts))
    means.sort()
    return sum(map(sum, d)) / (seeds * texts), means[250], means[-251]


class ReportTest(Studies):
    """The numbers of the report, made again from what eval and checkout say."""

    def setUp(self):
        super().setUp()
        self.study()
        self.report = self.root / "report"
        self.study("--report", self.report)

    def table(self, name):
        with open(self.report / name, newline="") as file:
            return list(csv.DictReader(file))

    def folder(self, name):
        out = self.root / "out" / name
        if not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            self.ok("checkout", "study/colours/" + name, "-o", out)
        return out

    def correct(self, name):
        """Of each test text, by eval: independent of what the run recorded."""
        predictions = self.root / "predictions.tsv"
        self.ok("eval", "study/colours/" + name, "--data", "test.tsv", "--predictions", predictions)
        labels = [line.split("\t")[1] for line in (self.repo / "test.tsv").read_text().splitlines()[1:]]
        said = [line.split("\t")[1] for line in predictions.read_text().splitlines()[1:]]
        return "".join(str(int(a == b)) for a, b in zip(labels, said))

    def changed(self, name):
        """{(tensor, element)} that differ from the base."""
        base, task = st.read(self.model / "model.safetensors"), {}
        for shard in self.folder(name).glob("*.safetensors"):
            task.update(st.read(shard))
        return {(key, i) for key, tensor in base.items() for i in range(0, len(tensor.data), 4)
                if tensor.data[i:i + 4] != task["bert." + key].data[i:i + 4]}

    def test_numbers(self):
        correct = {name: self.correct(name) for name in CELLS if "/seed-" in name and name.startswith("topic/")}
        details = {name: json.loads((self.folder(name) / "dstore-study.json").read_text()) for name in correct}
        self.assertEqual({name: value["correct"] for name, value in details.items()}, correct)

        cells = {f"{row['task']}/{row['method']}" + ("/1" if row["kind"] == "sweep" else "") + f"/seed-{row['seed']}": row
                 for row in self.table("cells.csv") if row["kind"] != "candidate"}
        self.assertEqual(len(self.table("cells.csv")), len(CELLS))
        for name, bits in correct.items():
            row = cells[name]
            self.assertAlmostEqual(float(row["test"]), bits.count("1") / len(bits))
            self.assertAlmostEqual(float(row["gap"]), float(row["train"]) - float(row["dev"]))
            self.assertEqual(int(row["changed"]), len(self.changed(name)), name)
        curves = self.table("curves.csv")
        self.assertEqual(len({(row["task"], row["method"], row["seed"], row["density"]) for row in curves}), len(cells))
        for name in correct:
            same = [row for row in curves if all(row[key] == cells[name][key] for key in ("task", "method", "seed", "density"))]
            self.assertEqual([[int(row["step"]), float(row["dev"])] for row in same], details[name]["curve"], name)
            best = max(value for _, value in details[name]["curve"])
            self.assertAlmostEqual(best, float(cells[name]["dev"]), msg=name)

        rows = {(row["task"], row["method"], row["density"], row["against"]): row for row in self.table("intervals.csv")}
        seeds = {"": (1, 2), "/1": (1,)}
        for method, sweep, density, against in (("fish", "", "0.05", "full"), ("fish", "/1", "0.01", "full"), ("random", "", "0.05", "full"), ("fish", "", "0.05", "random")):
            with self.subTest(method=method, sweep=sweep, against=against):
                a = [correct[f"topic/{method}{sweep}/seed-{seed}"] for seed in seeds[sweep]]
                b = [correct[f"topic/{against}/seed-{seed}"] for seed in seeds[sweep]]
                row = rows["topic", method, density, against]
                for want, key in zip(interval(a, b), ("difference", "low", "high")):
                    self.assertAlmostEqual(float(row[key]), want, places=12, msg=key)
                self.assertEqual((int(row["seeds"]), int(row["texts"])), (len(a), 60))
        self.assertEqual(len(rows), 6)

        overlap = self.table("overlap.csv")
        self.assertEqual(len(overlap), 6)
        for row in overlap:
            a, b = (self.changed(f"topic/{row[side]}/seed-{row['seed_' + side]}") for side in "ab")
            self.assertEqual((int(row["shared"]), int(row["either"])), (len(a & b), len(a | b)))
            self.assertAlmostEqual(float(row["jaccard"]), len(a & b) / len(a | b))

        shares = self.table("shares.csv")
        for method in ("fish", "random"):
            positions = self.changed(f"topic/{method}/seed-1")
            mine = [row for row in shares if (row["method"], row["seed"]) == (method, "1")]
            for by in ("layer", "role"):
                self.assertAlmostEqual(sum(float(row["share"]) for row in mine if row["by"] == by), 1, places=9)
            row, = (row for row in mine if row["part"] == "layer 1")
            self.assertEqual(int(row["changed"]), sum("layer.1." in key for key, _ in positions))

        text = (self.report / "index.html").read_text()
        page = Page(text)
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertNotIn("http", text.replace("http-equiv", ""))
        self.assertFalse({"script", "img", "link"} & set(page.tags))
        tests = [100 * correct[f"topic/fish/seed-{seed}"].count("1") / 60 for seed in (1, 2)]
        self.assertIn(f"{statistics.mean(tests):.2f} \u00b1 {statistics.stdev(tests):.2f}", page.words)
        difference, low, high = interval([correct[f"topic/fish/seed-{seed}"] for seed in (1, 2)], [correct[f"topic/full/seed-{seed}"] for seed in (1, 2)])
        answer = "yes" if low >= -0.1 else "no" if high < -0.1 else "not decided"
        self.assertEqual(page.words[page.words.index("Fish within ten points of full?") + 1], answer, (difference, low, high))

    def test_it_is_made_again_the_same_and_of_a_part(self):
        before = {path.name: path.read_bytes() for path in self.report.iterdir()}
        self.assertEqual(set(before), {"index.html", "cells.csv", "curves.csv", "overlap.csv", "shares.csv", "intervals.csv"})
        self.study("--report", self.report)
        self.assertEqual({path.name: path.read_bytes() for path in self.report.iterdir()}, before)
        for name in CELLS:
            if "full" in name or "seed-2" in name:
                self.ok("branch", "-d", "study/colours/" + name)
        out = self.study("--report", self.root / "part", "--json").json
        self.assertEqual(out["runs"], 5)
        text = (self.root / "part" / "index.html").read_text()
        Page(text)
        self.assertIn("not run yet", text)
        self.assertIn("What is missing", text)
        self.write(FILE.replace("name: colours", "name: nothing"))
        self.study("--report", self.root / "none")
        self.assertIn("Nothing is done yet", (self.root / "none" / "index.html").read_text())


class BadInputTest(Studies):
    def refused(self, old, new, code, *says, words=("--dry-run",)):
        self.assertIn(old, FILE)
        self.write(FILE.replace(old, new, 1))
        self.check_error(self.run_in("study", self.file, *words), code, *says)

    def test_files_that_say_something_wrong(self):
        for old, new, *says in (
                ("steps: 6", "stebs: 6", "line 3", "did you mean steps?"),
                ("samples: 8}, lr", "samples: 8}, rate", "line 22", "rate", "known are"),
                ("steps: 6", "steps: many", "line 3", "expected a number"),
                ("steps: 6\n", "", "steps is missing"),
                ("seeds: [1, 2]", "seeds: [1, 1]", "twice"),
                ("random: {", "full: {", "stands there twice"),
                ("density: 5%", "density: 500%", "line 22", "share"),
                ("lr: 1e-2, sweep", "lr: -1, sweep", "above 0"),
                ("methods: [full, head]", "methods: [full, heat]", "did you mean head?"),
                ("learning_rates_of: topic", "learning_rates_of: topics", "did you mean topic?"),
                ("learning_rates_of: topic", "learning_rates_of: few", "none of its own"),
                ("compare: fish, with: full", "compare: fisch, with: full", "did you mean fish?"),
                ("at_least: -10", "at_least: -10, above: 0", "one of at_least, above, within"),
                ("choose_lr: {steps: 3, seed: 1}\n", "", "choose_lr is missing"),
                ("  topic: {", "  to/pic: {", "a name becomes a part"),
                ("name: colours", "name: [a", "no YAML"),
                ("train: train.tsv, dev: dev.tsv, test: test.tsv", "train: train.tsv", "train, dev and test"),
                ("sweep: [1%]", "sweep: [5%]", "own density"),
        ):
            with self.subTest(new):
                self.refused(old, new, USAGE, *says)

    def test_what_is_not_there(self):
        self.refused("base: tiny", "base: tinny", NOT_FOUND, "tiny")
        self.refused("dev: dev.tsv", "dev: development.tsv", NOT_FOUND, "development.tsv")
        self.check_error(self.run_in("study", "other.yml"), NOT_FOUND, "other.yml")
        self.write(FILE)
        self.check_error(self.run_in("study", self.file, "--only", "nothing/*"), NOT_FOUND, "--dry-run")
        self.check_error(self.run_in("study", self.file, "--max-minutes", "soon"), USAGE, "--max-minutes")

    def test_the_trainer_sees_every_method_before_the_first_run(self):
        for old, new, *says in (
                ("method: random-mask", "method: random-mast", "random", "random-mast"),
                ("samples: 8", "sampels: 8", "fish", "samples"),
                ("train: few.tsv", "train: study.yml\n    format: tsv", "few"),
                ("method: head}", "method: head, density: 1%}", "no density"),
        ):
            with self.subTest(new):
                self.refused(old, new, USAGE, *says, words=())
                self.assertEqual({cell["commit"] for cell in self.cells().values()}, {None})


if __name__ == "__main__":
    unittest.main()
