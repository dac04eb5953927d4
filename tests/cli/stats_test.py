"""dstore stats, compare and diff --tensor: their numbers against plain Python, their tables, and the page that stats writes."""
import html.parser
import json
import math
import re
import struct
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, FINDINGS, NOT_FOUND, USAGE, Case

QUERY, OUT, BIAS = "layer.0.attention.self.query.weight", "layer.1.output.dense.weight", "layer.1.output.dense.bias"
HOSTILE = "layer.0.<script>alert(1)</script>\"'&"
VOID = {"meta", "br", "hr", "img", "input", "link"}


def values(tensor):
    return list(struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data))


def order(value):
    """Place of a float among all floats."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return bits ^ (0xFFFFFFFF if bits >> 31 else 0x80000000)


class Page(html.parser.HTMLParser):
    """Fails on tags that are not closed; keeps what a test asks for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.attributes, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.ids += [value for key, value in attributes if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


class StatsTest(Case):
    def setUp(self):
        super().setUp()
        self.tensors = {"embeddings.weight": self.normal([30, 8]), QUERY: self.normal([8, 8]), OUT: self.normal([8, 16]), BIAS: self.normal([8]),
                        HOSTILE: self.normal([5]), "norm.weight": self.normal([8]), "steps": st.Tensor("I32", [3], struct.pack("<3i", 1, -5, 7))}
        self.base = self.model("base", self.tensors)
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "-m", "the base")

    def normal(self, shape):
        return st.floats((self.rng.gauss(0, 0.05) for _ in range(st.elements(shape))), shape)

    def model(self, folder, tensors):
        st.write(self.root / folder / "model.safetensors", tensors, {"format": "pt"})
        (self.root / folder / "config.json").write_text("{}\n")
        return self.root / folder

    def task(self, name, changes, more=None):
        """Commits the base with {tensor: {index: value}} in it and `more` tensors; returns its tensors."""
        tensors = dict(self.tensors)
        for tensor, entries in changes.items():
            numbers = values(tensors[tensor])
            for index, value in entries.items():
                numbers[index] = value
            tensors[tensor] = st.floats(numbers, tensors[tensor].shape)
        tensors.update(more or {})
        self.ok("commit", self.model(name, tensors), "--base", "base", "--name", name, "-m", "task " + name)
        return tensors

    def two_tasks(self):
        query, out = values(self.tensors[QUERY]), values(self.tensors[OUT])
        self.a = self.task("a", {QUERY: {0: query[0] + 0.5, 1: query[1] - 0.25, 9: -query[9]}, OUT: {5: out[5] + 1}}, {"classifier.weight": self.normal([2, 8])})
        self.b = self.task("b", {QUERY: {0: query[0] - 0.5, 1: query[1] - 0.5, 20: 0.0}, BIAS: {0: 1.0}, HOSTILE: {2: 9.0}})

    def test_numbers_are_those_of_a_plain_loop(self):
        self.two_tasks()
        out = self.ok("stats", "a", "--json").json
        task = out["tasks"][0]
        self.assertEqual(out["pairs"], [])
        by_name = {row["name"]: row for row in task["tensors"]}
        self.assertEqual(len(by_name), 8)
        total = 0
        for name, before in self.tensors.items():
            row = by_name[name]
            if before.dtype != "F32":
                continue
            old, new = values(before), values(self.a[name])
            moved = [(x, y) for x, y in zip(old, new) if x != y]
            ulps = {}
            for x, y in moved:
                bucket = str(1 << (abs(order(x) - order(y)).bit_length() - 1))
                ulps[bucket] = ulps.get(bucket, 0) + 1
            self.assertEqual((row["elements"], row["changed"], row["ulps"]), (len(old), len(moved), ulps), name)
            self.assertEqual(row["sign_changes"], sum(x * y < 0 for x, y in moved))
            if moved:
                self.assertAlmostEqual(row["l1"], sum(abs(y - x) for x, y in moved))
                self.assertAlmostEqual(row["l2"], math.sqrt(sum((y - x) ** 2 for x, y in moved)))
                self.assertAlmostEqual(row["max_abs"], max(abs(y - x) for x, y in moved))
                self.assertGreater(row["stored_bytes"], 0)
            total += len(moved)
        self.assertEqual((task["all"]["changed"], task["all"]["new_elements"]), (total, 16))
        self.assertEqual(by_name["classifier.weight"]["state"], "added")
        self.assertEqual((by_name[QUERY]["layer"], by_name[QUERY]["role"]), ("layer 0", "query"))
        self.assertEqual((by_name[OUT]["layer"], by_name[OUT]["role"]), ("layer 1", "mlp down"))
        self.assertEqual([row["name"] for row in task["layers"]], ["embedding", "layer 0", "layer 1", "head", "other"])
        for parts in ("layers", "roles"):
            for key in ("changed", "elements", "tensors", "stored_bytes"):
                self.assertEqual(sum(row[key] for row in task[parts]), task["all"][key], (parts, key))

    def test_two_tasks_overlap_and_disagree(self):
        self.two_tasks()
        pair = self.ok("stats", "a", "b", "--json").json["pairs"][0]
        d, e = ([y - x for name, before in self.tensors.items() if before.dtype == "F32" for x, y in zip(values(before), values(task[name]))]
                for task in (self.a, self.b))
        both = [(x, y) for x, y in zip(d, e) if x and y]
        self.assertEqual((pair["shared"], pair["either"], pair["comparable"], pair["opposite"]), (2, 7, 2, 1))
        self.assertAlmostEqual(pair["jaccard"], 2 / 7)
        self.assertAlmostEqual(pair["cosine"], sum(x * y for x, y in zip(d, e)) / math.sqrt(sum(x * x for x in d) * sum(y * y for y in e)))
        self.assertEqual(pair["conflict_rate"], 0.5)
        self.assertAlmostEqual(pair["conflict_energy"], sum(x * x + y * y for x, y in both if x * y < 0) / (sum(x * x for x in d) + sum(y * y for y in e)))
        self.assertEqual(self.ok("compare", "a", "b", "--json").json["pairs"], [pair])

    def test_tables_by_layer_role_and_tensor(self):
        self.two_tasks()
        text = self.ok("stats", "a").text
        for words in ("layer 1", "head", "4 of", "16 weights new, in 1 tensor", " changed sign", "█"):
            self.assertIn(words, text)
        self.assertIn("mlp down", self.ok("stats", "a", "--by", "role").text)
        text = self.ok("stats", "a", "b", "--by", "tensor").text
        for words in (QUERY, "as in the base", "Jaccard", "cosine", "opposite signs"):
            self.assertIn(words, text)
        self.fails(USAGE, "stats", "a", "--by", "rolle", says="did you mean role?")
        self.fails(USAGE, "stats", "base", says="base")
        self.fails(NOT_FOUND, "stats", "nobody")

    def test_a_task_that_only_adds_a_head(self):
        self.task("head", {}, {"classifier.weight": self.normal([2, 8])})
        text = self.ok("stats", "head").text
        self.assertIn("0 of 456 weights changed", text)
        page = self.page("head")
        self.assertIn("No weight of the base changed", " ".join(page.words))

    def test_compare_puts_metrics_side_by_side(self):
        self.two_tasks()
        for name, accuracy in (("one", "0.75"), ("two", "0.8")):
            self.stage_for(name, [("test", "accuracy", accuracy), ("dev", "loss", "0.5" if name == "one" else "0.7")])
            self.ok("commit", name, "-m", "trained")
        text = self.ok("compare", "one", "two", "a", "base").text
        for words in ("test accuracy", "* 0.8", "* 0.5", "dev loss", "* the best", "density", "full copy"):
            self.assertIn(words, text)
        self.assertNotIn("* 0.75", text)
        out = self.ok("compare", "one", "two", "a", "base", "--json").json
        rows = {row["name"]: row for row in out["metrics"]}
        self.assertEqual([value and value["value"] for value in rows["accuracy"]["values"]], ["0.75", "0.8", None, None])
        self.assertEqual((rows["accuracy"]["best"], rows["accuracy"]["better"], rows["loss"]["best"]), ([1], "higher", [0]))
        self.assertEqual([side["all"] is None for side in out["revisions"]], [False, False, False, True])
        self.assertEqual(len(out["pairs"]), 3)

    def stage_for(self, name, metrics):
        rows = [{"split": split, "metric": metric, "value": value, "n": 100, "data_sha256": "ab" * 32} for split, metric, value in metrics]
        folder = self.repo / ".dstore" / "staged" / name
        (folder / "files").mkdir(parents=True)
        st.write(folder / "tensors.safetensors", {QUERY: st.changed(self.rng, self.tensors[QUERY], 2)})
        commit = self.ok("show", "base", "--json").json["id"]
        (folder / "base.json").write_text(json.dumps({"base": commit, "name": name, "v": 1}, separators=(",", ":")))
        (folder / "stage.json").write_text(json.dumps({"version": 1, "base_prefix": "", "training": {"method": "<i>full</i>"}, "metrics": rows}))
        (folder / "files" / "config.json").write_text("{}")

    # The page.

    def page(self, *revisions):
        path = self.root / "report.html"
        self.assertIn("wrote", self.ok("stats", *revisions, "--html", path).text)
        self.text = path.read_text(encoding="utf-8")
        return Page(self.text)

    def test_the_page_is_whole_safe_and_the_same_twice(self):
        self.two_tasks()
        self.stage_for("c", [("test", "<img src=x>", "0.5"), ("dev", "<img src=x>", "1e400")])
        self.ok("commit", "c", "-m", "</title><script>alert(2)</script>")
        page = self.page("a", "b", "c")
        first = self.text
        self.page("a", "b", "c")
        self.assertEqual(self.text, first)
        self.assertEqual(set(page.tags) & {"script", "img", "link", "iframe", "object", "i"}, set())
        self.assertIsNone(re.search(r"https?:|//|url\(|@import", first))
        self.assertFalse([key for key, _ in page.attributes if key.startswith("on") or key in ("src", "href")])
        self.assertEqual(len(page.ids), len(set(page.ids)))
        for key, value in page.attributes:
            if key == "aria-labelledby":
                self.assertLessEqual(set(value.split()), set(page.ids))
        words = " ".join(page.words)
        for found in (HOSTILE, "<i>full</i>", "layer 1", "mlp down", "Cosine", "Overlap", "What is stored", "0.29"):
            self.assertIn(found, words)
        self.assertIn("prefers-color-scheme: dark", first)

    def test_the_history_of_a_branch_is_a_chart(self):
        for value in ("0.5", "0.625", "0.75"):
            self.stage_for("t", [("test", "accuracy", value)])
            self.ok("commit", "t", "-m", "at " + value)
        page = self.page("t")
        self.assertIn("svg", page.tags)
        self.assertEqual(self.text.count('<circle class="p1" cx="5'), 1)
        self.assertIn("test from 0.5 to 0.75, over 3 commits", " ".join(page.words))
        self.assertIn("at 0.625", " ".join(page.words))

    def test_evaluations_stand_in_the_page(self):
        for value in ("0.5", "0.625"):
            self.stage_for("t", [("test", "accuracy", value)])
            self.ok("commit", "t", "-m", "at " + value)
        record = lambda file, *words: self.ok("eval", "t", "--record", "--from", file, *words)
        again, other = self.root / "again.json", self.root / "other.json"
        again.write_text(json.dumps({"data": "t.tsv", "data_sha256": "ab" * 32, "n": 100, "split": "test", "metrics": {"accuracy": 0.875}}))
        other.write_text(json.dumps({"data": "<script>&.tsv", "data_sha256": "cd" * 32, "n": 1234, "split": "held", "metrics": {"f1": 0.25}, "environment": {"device": "abacus"}}))
        self.assertNotIn("Recorded evaluations", " ".join(self.page("t").words))
        record(again)
        record(other, "--author", "Ada <b>")
        words = " ".join(self.page("t").words)
        self.assertIn("test from 0.5 to 0.875, over 2 commits", words)
        for found in ("Recorded evaluations", "f1 0.25", "1,234", "<script>&.tsv", "Ada <b>", "device abacus", "held f1"):
            self.assertIn(found, words)
        # By a key that is no longer trusted: it is shown, and counts nowhere.
        (self.user / "allowed_signers").write_text("")
        words = " ".join(self.page("t").words)
        self.assertIn("test from 0.5 to 0.625, over 2 commits", words)
        self.assertIn("f1 0.25", words)
        self.assertEqual(words.count("held f1"), 1)  # in the table of evaluations, as split and metric

    def test_the_page_goes_where_it_can(self):
        self.two_tasks()
        path = self.root / "page.html"
        path.write_text("old")
        self.assertEqual(self.ok("stats", "a", "--html", path, "--json").json["tasks"][0]["revision"], "a")
        self.assertTrue(path.read_text().startswith("<!doctype html>"))
        self.fails(NOT_FOUND, "stats", "a", "--html", self.root / "nowhere" / "page.html", says="there is no folder")
        self.assertFalse((self.root / "nowhere").exists())
        self.fails(CONFLICT, "stats", "a", "--html", self.root, says="is a folder")

    # One tensor.

    def test_the_largest_changes_of_a_tensor(self):
        self.two_tasks()
        result = self.run_in("diff", "base", "a", "--tensor", QUERY)
        self.assertEqual(result.code, FINDINGS)
        rows = [line.split() for line in result.text.splitlines() if re.match(r"\s+\d+ \[", line)]
        self.assertEqual([row[0] for row in rows][:2], ["0", "1"])
        for words in ("3 of 64 elements differ", "[0, 1]", "[1, 1]", "+0.5", "-0.25", " changed sign", "F32 [8, 8]"):
            self.assertIn(words, result.text)
        self.assertIn("and 2 smaller ones", self.run_in("diff", "base", "a", "--tensor", QUERY, "-n", 1).text)
        out = self.run_in("diff", "base", "a", "--tensor", QUERY, "--json").json
        self.assertEqual((out["changed"], out["state"], out["rows"]), (3, "changed", None))
        self.assertEqual([(row["index"], row["position"]) for row in out["differences"]][:2], [(0, [0, 0]), (1, [0, 1])])
        old, new = values(self.tensors[QUERY])[0], values(self.a[QUERY])[0]
        self.assertEqual(out["differences"][0]["ulps"], abs(order(old) - order(new)))
        self.assertAlmostEqual(out["differences"][0]["difference"], new - old)
        self.assertEqual(self.run_in("diff", "base", "a", "--tensor", "norm.weight").code, DONE)
        self.fails(NOT_FOUND, "diff", "base", "a", "--tensor", "norm.weigth", says="did you mean norm.weight?")

    def test_tensors_that_are_new_longer_cast_integer_or_not_finite(self):
        longer = st.floats([2.0, 3.0] + values(self.tensors["embeddings.weight"])[2:] + [1.0] * 8, [31, 8])
        cast = st.Tensor("BF16", [8], b"".join(struct.pack("<f", v)[2:] for v in values(self.tensors["norm.weight"])))
        steps = st.Tensor("I32", [3], struct.pack("<3i", 1, 5, -7))
        self.task("odd", {BIAS: {3: math.nan, 4: math.inf, 5: 100.0}}, {"embeddings.weight": longer, "norm.weight": cast, "steps": steps, "more": self.normal([2])})
        text = self.run_in("diff", "base", "odd", "--tensor", "embeddings.weight").text
        for words in ("F32 [30, 8] → F32 [31, 8]", "2 of 240 elements differ", "30 rows that both have"):
            self.assertIn(words, text)
        self.assertIn("not compared", self.run_in("diff", "base", "odd", "--tensor", "norm.weight").text)
        self.assertIn("added", self.run_in("diff", "base", "odd", "--tensor", "more").text)
        rows = self.run_in("diff", "base", "odd", "--tensor", "steps", "--json").json["differences"]
        self.assertEqual([(row["index"], row["before"], row["after"], row["difference"], row["ulps"]) for row in rows], [(2, "7", "-7", -14, 14), (1, "-5", "5", 10, 10)])
        rows = self.run_in("diff", "base", "odd", "--tensor", BIAS, "--json").json
        self.assertEqual([row["index"] for row in rows["differences"]], [3, 4, 5])
        self.assertEqual((rows["non_finite"], rows["differences"][0]["difference"], rows["differences"][0]["ulps"]), (2, None, 0))
        self.assertIn("2 not finite", self.run_in("diff", "base", "odd", "--tensor", BIAS).text)
        task = self.ok("stats", "odd", "--json").json["tasks"][0]
        by_name = {row["name"]: row for row in task["tensors"]}
        self.assertEqual((by_name["embeddings.weight"]["changed"], by_name["embeddings.weight"]["new_elements"]), (2, 8))
        self.assertEqual((by_name["steps"]["changed"], by_name["steps"]["ulps"], by_name["steps"]["l2"]), (2, {"8": 2}, None))
        self.page("odd")

    def test_tasks_of_a_base(self):
        self.assertIn("no task hangs on base", self.run_in("tasks", "base").err)
        self.two_tasks()
        self.assertEqual([row["name"] for row in self.ok("tasks", "base", "--json").json], ["a", "b"])
        self.fails(USAGE, "tasks", "a", says="dstore tasks base")

    def test_a_renamed_model_compares_with_its_base(self):
        renamed = {"bert." + name: tensor for name, tensor in self.tensors.items()}
        renamed["bert." + BIAS] = st.changed(self.rng, renamed["bert." + BIAS], 1)
        self.ok("commit", self.model("renamed", renamed), "--base", "base", "--name", "renamed", "-m", "with a prefix")
        task = self.ok("stats", "renamed", "--json").json["tasks"][0]
        self.assertEqual(task["all"]["changed"], 1)
        self.assertEqual({row["state"] for row in task["tensors"]}, {"renamed", "changed"})
        self.assertIn("layer 0", self.ok("stats", "renamed").text)

    def test_a_task_that_shares_no_tensor_with_the_base(self):
        self.ok("commit", self.model("foreign", {"x": self.normal([4])}), "--base", "base", "--name", "foreign", "-m", "foreign", "--allow-unaligned")
        self.assertIn("7 removed", self.ok("stats", "foreign").text)
        self.page("foreign")


if __name__ == "__main__":
    unittest.main()
