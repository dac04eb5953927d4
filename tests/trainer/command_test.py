"""Runs dstore-train as dstore does, on a tiny model made here, and checks what it leaves behind.

Usage: command_test.py DSTORE_TRAIN
"""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

from command_case import bits, CommandCase, TRAIN
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from tiny_folder import WORDS, read, write

LIMIT = 2_000_000  # kilobytes of address space, of which the program with LibTorch takes about half


class CommandTest(CommandCase):
    def test_every_method_leaves_a_stage(self):
        sparse = ("diff-pruning", "fish", "lt-sft", "top-k", "random-mask")
        for method in ("full", "bitfit", "last-layer", "head", "select", "masking", "far", *sparse):
            with self.subTest(method):
                extra = ["--density", "2%"] if method in sparse else []
                out = self.train("--method", method, "--epochs", "4", "--dev", self.tables["dev"], "--test", self.tables["test"], *extra)
                stage = self.stage(out)
                self.assertEqual(stage["version"], 1)
                self.assertEqual(stage["base_prefix"], "bert.")
                training = stage["training"]
                self.assertTrue(all(isinstance(v, str) for v in training.values()))
                self.assertEqual(training["method"], method)
                self.assertEqual(training["steps"], "20")
                self.assertEqual([m for m in stage["metrics"] if m["split"] == "test"][0]["n"], 60)
                names, count = self.changed(out)
                self.assertLessEqual({"classifier.weight", "classifier.bias"}, names)
                self.assertEqual(int(training["changed"]), count)
                self.assertLessEqual(count, int(training["selected"]))
                if method == "head":
                    self.assertEqual(names, {"classifier.weight", "classifier.bias"})
                if method in sparse:
                    body = sum(t.numel() for t in load_file(os.path.join(self.base, "model.safetensors")).values() if t.is_floating_point())
                    self.assertEqual(int(training["selected"]), body * 2 // 100)
                if method == "masking":
                    new = load_file(os.path.join(out, "tensors.safetensors"))
                    for name, before in load_file(os.path.join(self.base, "model.safetensors")).items():
                        if name in new:
                            self.assertTrue(bool(((new[name] == before) | (bits(new[name]) == 0)).all()), name)
                    self.assertEqual(int(training["masked"]), count)
                if method == "bitfit":
                    self.assertTrue(all(n.endswith("bias") for n in names - {"classifier.weight"}))
                lines = [json.loads(line) for line in read(out, "train.jsonl").splitlines()]
                self.assertEqual(sum(line["event"] == "step" for line in lines), 20)

    def test_far_changes_whole_nodes_of_the_feed_forward_layers(self):
        out = self.train("--method", "far", "--steps", "20", "--set", "learners=0.25", "--set", "priming=0.1", "--weight-decay", "0.1")
        before = load_file(os.path.join(self.base, "model.safetensors"))
        after = load_file(os.path.join(out, "tensors.safetensors"))
        for name in set(after) - {"classifier.weight", "classifier.bias"}:
            self.assertRegex(name, r"layer\.\d\.(intermediate|output)\.dense\.")
            rows = int((bits(after[name]) != bits(before[name])).reshape(len(after[name]), -1).any(1).sum())
            self.assertEqual(rows, len(after[name]) // 4, name)
        training = self.stage(out)["training"]
        self.assertEqual((training["learner_nodes"], training["nodes"]), ("40", "160"))
        self.assertEqual(int(training["selected"]), 2 * (12 * 33 + 8 * 49))

    def test_bitfit_adds_biases_on_request(self):
        folder = os.path.join(self.root, "no-biases")
        os.mkdir(folder)
        tensors = {k: v for k, v in load_file(os.path.join(self.base, "model.safetensors")).items() if not k.endswith("dense.bias") or k.startswith("pooler")}
        save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
        for name in ("vocab.txt", "tokenizer_config.json", "config.json"):
            write(os.path.join(folder, name), read(self.base, name))
        self.assertEqual(os.listdir(self.train("--method", "bitfit", "--steps", "2", base=folder, status=2)), [])
        self.assertEqual(len(self.last.stderr.splitlines()), 1)
        self.assertIn("--method bitfit --set missing=add", self.last.stderr)
        out = self.train("--method", "bitfit", "--set", "missing=add", "--steps", "20", "--test", self.tables["test"], base=folder)
        self.assertIn("lacks 6 biases", self.last.stderr)
        self.assertEqual(self.stage(out)["training"]["added_biases"], "6")
        names, _ = self.changed(out, folder)
        added = {f"bert.encoder.layer.{i}.{part}.dense.bias" for i in (0, 1) for part in ("attention.output", "intermediate", "output")}
        self.assertLessEqual(added, names)
        model = self.materialise(out, folder)
        ours = self.evaluate(model, self.tables["test"])
        self.assertEqual(ours["accuracy"], [m["value"] for m in self.stage(out)["metrics"] if m["metric"] == "accuracy"][0])
        theirs = AutoModelForSequenceClassification.from_pretrained(model).eval()
        loaded = dict(theirs.named_parameters())
        for name, tensor in load_file(os.path.join(out, "tensors.safetensors")).items():
            if name in added:
                self.assertTrue(bool((loaded[name] == tensor).all()) and bool((tensor != 0).any()), name)

    def test_outcomes_and_a_sample_of_the_training_texts(self):
        out = self.train("--method", "full", "--epochs", "2", "--test", self.tables["test"], "--train-sample", "50")
        metrics = {m["split"]: m for m in self.stage(out)["metrics"] if m["metric"] == "accuracy"}
        rows = [line.split("\t") for line in read(out, "outcomes.tsv").splitlines()]
        self.assertEqual(rows[0], ["truth", "predicted"])
        self.assertEqual(len(rows), 61)
        self.assertEqual(sum(a == b for a, b in rows[1:]) / 60, float(metrics["test"]["value"]))
        self.assertEqual(metrics["train"]["n"], 50)
        everything = self.train("--method", "full", "--epochs", "2", "--train-sample", "1000", "--dev", self.tables["train"])
        metrics = {m["split"]: m for m in self.stage(everything)["metrics"] if m["metric"] == "accuracy"}
        self.assertEqual((metrics["train"]["value"], metrics["train"]["n"]), (metrics["dev"]["value"], 160))
        self.assertFalse(os.path.exists(os.path.join(everything, "outcomes.tsv")))

    def test_diff_pruning_selects_exactly_its_share(self):
        out = self.train("--method", "diff-pruning", "--density", "1%", "--steps", "60")
        before = load_file(os.path.join(self.base, "model.safetensors"))
        total = sum(t.numel() for t in before.values() if t.is_floating_point())
        self.assertEqual(int(self.stage(out)["training"]["selected"]), total // 100)

    def test_a_learned_task_predicts_as_transformers_does(self):
        out = self.train("--method", "full", "--epochs", "12", "--lr", "2e-3", "--test", self.tables["test"])
        accuracy = [float(m["value"]) for m in self.stage(out)["metrics"] if m["metric"] == "accuracy"][0]
        self.assertGreater(accuracy, 0.9)
        folder = self.materialise(out)
        predictions = os.path.join(self.root, "predictions.tsv")
        done = subprocess.run([TRAIN, "eval", "--repository", self.root, folder, "--data", self.tables["test"], "--json",
                               "--predictions", predictions], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(float(json.loads(done.stdout)["metrics"]["accuracy"]), accuracy)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        lines = read(self.tables["test"]).splitlines()[1:]
        rows = read(predictions).splitlines()[1:]
        for line, row in zip(lines, rows, strict=True):
            text = line.split("\t")[0]
            with torch.no_grad():
                logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
            fields = row.split("\t")
            self.assertEqual(fields[1], model.config.id2label[int(logits.argmax())])
            ours = torch.tensor([float(f) for f in fields[2:]])
            self.assertLess((ours - logits).abs().max().item(), 1e-5 * max(1.0, logits.abs().max().item()))

    def test_equal_seeds_give_equal_bytes_and_others_do_not(self):
        for method in ("full", "diff-pruning"):
            with self.subTest(method):
                first, second, other = (read(self.train("--method", method, "--steps", "12", "--seed", seed), "tensors.safetensors", mode="rb")
                                        for seed in ("5", "5", "6"))
                self.assertEqual(first, second)
                self.assertNotEqual(first, other)

    def test_a_half_precision_base_keeps_its_dtype_and_untouched_bits(self):
        out = self.train("--method", "diff-pruning", "--density", "1%", "--steps", "30", base=self.narrow)
        names, count = self.changed(out, self.narrow)
        training = self.stage(out)["training"]
        self.assertEqual(count, int(training["changed"]))
        self.assertLessEqual(int(training["changed"]), int(training["nonzero"]))
        self.assertLessEqual(int(training["nonzero"]), int(training["selected"]))

    def test_the_numbers_of_a_half_precision_base_are_those_of_the_stored_model(self):
        values = {split: os.path.join(self.root, split + "-values.tsv") for split in ("train", "dev", "test")}
        for method, *settings in (("full",), ("diff-pruning",), ("far", "--set", "rollback=no", "--set", "priming=0.3")):
            with self.subTest(method):
                out = self.train("--method", method, *settings, "--task", "regression", "--steps", "60", "--lr", "1e-3", "--eval-every", "20",
                                 "--dev", values["dev"], "--test", values["test"], base=self.narrow, data=values["train"])
                folder = self.materialise(out, self.narrow)
                for split in ("dev", "test"):
                    reported = {m["metric"]: m["value"] for m in self.stage(out)["metrics"] if m["split"] == split}
                    self.assertIn("mse", reported)
                    self.assertEqual(self.evaluate(folder, values[split]), reported)

    def test_the_recorded_rate_is_the_one_used(self):
        def run(*arguments):
            out = self.train("--method", "diff-pruning", "--density", "2%", "--steps", "6", *arguments)
            training = self.stage(out)["training"]
            self.assertNotIn("set.lr", training)
            return float(training["lr"]), read(out, "tensors.safetensors", mode="rb")

        direct = run("--lr", "1e-3")
        self.assertEqual(direct[0], 1e-3)
        self.assertEqual(run("--set", "lr=1e-3"), direct)
        self.assertEqual(run("--set", "lr=5e-3", "--lr", "1e-3"), direct)
        self.assertEqual(run("--set", "preset=short", "--set", "lr=1e-3"), direct)
        self.assertNotEqual(run()[1], direct[1])
        self.assertEqual(run("--set", "preset=paper")[0], 1e-5)
        paper = run("--set", "preset=paper", "--lr", "1e-3")
        self.assertEqual(paper[0], 1e-3)
        self.assertEqual(paper, run("--set", "lr=1e-3", "--set", "preset=paper"))

    def test_the_rate_is_the_heads_where_nothing_else_trains(self):
        def run(*arguments):
            return read(self.train("--method", "head", "--steps", "6", *arguments), "tensors.safetensors", mode="rb")

        self.assertEqual(run("--lr", "5e-2"), run("--head-lr", "5e-2"))
        self.assertEqual(run("--lr", "5e-2", "--head-lr", "1e-3"), run("--head-lr", "1e-3"))
        self.assertNotEqual(run("--lr", "5e-2"), run())

    def test_the_record_says_how_it_was_done(self):
        out = self.train("--method", "diff-pruning", "--density", "0.7%", "--structure", "none", "--steps", "10", "--max-length", "5")
        self.assertIn("cut to 5 tokens", self.last.stderr)
        training = self.stage(out)["training"]
        self.assertEqual({k: training[k] for k in ("density", "set.structure", "pooling", "format", "text_column", "label_column", "eval_every",
                                                   "max_length", "weight_decay")},
                         {"density": "0.007", "set.structure": "none", "pooling": "first-token", "format": "tsv", "text_column": "text",
                          "label_column": "label", "eval_every": "5", "max_length": "5", "weight_decay": "0"})
        self.assertNotIn("pair_column", training)
        self.assertRegex(training["truncated"], "^train=[1-9][0-9]*$")
        self.assertEqual(training["filled"], "0")
        self.assertGreaterEqual(int(training["gate_nonzero"]), int(training["selected"]))
        self.assertTrue(0 < float(training["gate_mean_open"]) <= 1)
        out = self.train("--method", "diff-pruning", "--density", "5%", "--set", "alpha_init=-15", "--steps", "6", "-q")
        self.assertIn("warning: only", self.last.stderr)
        training = self.stage(out)["training"]
        self.assertGreater(int(training["filled"]), 0)
        self.assertLessEqual(int(training["filled_by_w"]) + int(training["filled_by_gradient"]), int(training["filled"]))

    def test_mean_pooling_is_remembered(self):
        out = self.train("--method", "last-layer", "--pooling", "mean", "--steps", "5", "--test", self.tables["test"])
        folder = self.materialise(out)
        done = subprocess.run([TRAIN, "eval", folder, "--data", self.tables["test"], "--json"], capture_output=True, text=True)
        value = [m["value"] for m in self.stage(out)["metrics"] if m["metric"] == "accuracy"][0]
        self.assertEqual(json.loads(done.stdout)["metrics"]["accuracy"], value)

    def test_an_interrupt_stops_cleanly_and_leaves_nothing(self):
        out = tempfile.mkdtemp(dir=self.root)
        process = subprocess.Popen([TRAIN, "train", "--out", out, self.base, "--data", self.tables["train"], "--method", "full",
                                    "--steps", "1000000"], stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        for _ in range(50):  # until it is past the start
            if process.stderr.readline():
                break
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=120)[1]
        self.assertEqual(process.returncode, 130)
        self.assertIn("nothing is staged", message)
        self.assertEqual(os.listdir(out), [])

    def test_bad_input_is_one_line_and_a_status(self):
        def refused(words, *arguments, status=2, **options):
            out = self.train(*arguments, status=status, **options)
            self.assertEqual(os.listdir(out), [])
            lines = self.last.stderr.strip().splitlines()
            self.assertEqual(len(lines), 1, self.last.stderr)
            self.assertTrue(lines[0].startswith("dstore: "), lines[0])
            self.assertIn(words, lines[0])

        refused("diff-pruning", "--method", "diffpruning")
        refused("did you mean diff-pruning?", "--method", "diff-prunin")
        refused("--method", )
        refused("did you mean attn.q?", "--train", "atn.q")
        refused("layers 0 to 1", "--train", "layer[2].ffn")
        refused("no hyperparameter \"train\"", "--method", "full", "--train", "attn.q")
        refused("selects no weight", "--method", "random-mask", "--density", "0.001%")
        refused("take part", "--method", "fish", "--train", "pooler", "--density", "50%")
        refused("leave out budget=all", "--method", "fish", "--density", "0.1%", "--set", "budget=all")
        refused("fewer than the iterations", "--method", "lt-sft", "--density", "0.01%", "--set", "iterations=30")
        refused("label, expect", "--method", "fish", "--set", "estimate=both")
        refused("no density", "--method", "full", "--density", "1%")
        refused("share", "--method", "diff-pruning", "--density", "2")
        refused("did you mean lambda?", "--method", "diff-pruning", "--set", "lamda=1")
        refused("from 0 to 1000", "--method", "diff-pruning", "--set", "lambda=-1")
        refused("this model takes one, or 4", "--method", "diff-pruning", "--set", "lambda=1,2,3")
        refused("structure=matrix", "--method", "diff-pruning", "--set", "structure=none", "--set", "l0=product")
        refused("selects none of 160 nodes", "--method", "far", "--set", "learners=0.001")
        refused("from 0 to 1", "--method", "far", "--set", "learners=10%")
        refused("layer, model", "--method", "far", "--set", "rank=matrix")
        refused("--stepz", "--method", "full", "--stepz", "1")
        refused("cuda", "--method", "full", "--device", "cuda", status=7)
        refused("not finite", "--method", "full", "--lr", "1e30", "--clip", "0", "--warmup", "0", "--steps", "30", "-q")
        refused("not finite", "--method", "full", "--lr", "1e30", "--clip", "0", "--warmup", "0", "--steps", "1", "-q")
        refused("--weight-decay", "--method", "diff-pruning", "--weight-decay", "0.1")
        refused("weights to select", "--method", "diff-pruning", "--pooling", "mean", "--density", "100%")
        refused("matrix", "--method", "diff-pruning", "--structure", "rows", "-q")
        bad = os.path.join(self.root, "bad.tsv")
        write(bad, "text\tlabel\nred cat\tis-red\nblue\tis-mauve\n")
        refused("bad.tsv:3", "--method", "full", "--dev", bad)
        write(bad, "text\tclass\nred cat\tis-red\n")
        refused("bad.tsv", "--method", "full", data=bad)
        refused("", "--method", "full", data=os.path.join(self.root, "none.tsv"), status=3)
        one, two = os.path.join(self.root, "one.tsv"), os.path.join(self.root, "two.tsv")
        write(two, "text\ttext2\tlabel\nred\tcat\ta\nblue\tdog\tb\n")
        write(one, "text\tlabel\nred cat\ta\nblue dog\tc\n")
        refused("one.tsv has one text a row, but", "--method", "full", "--dev", one, data=two)
        refused("has pairs (column \"text2\")", "--method", "full", "--test", two, data=one)
        refused("two.tsv:1: no column \"text3\"", "--method", "full", "--pair-column", "text3", data=two)
        refused("unknown label \"is-red\" (those of " + one, "--method", "full", "--dev", self.tables["dev"], data=one)
        write(bad, "text\tlabel\nred cat\ta\nblue\ta\n")
        refused("every row has the label \"a\": nothing to learn", "--method", "full", data=bad)
        write(bad, "text\tlabel\nred cat\t1\nblue\t1\n")
        refused("every row has the label \"1\": nothing to learn", "--method", "full", "--task", "regression", data=bad)
        write(bad, "text\tlabel\nred cat\t1\nblue\tnan\n")
        refused("bad.tsv:3: label \"nan\" is not a finite number", "--method", "full", "--task", "regression", data=bad)
        write(bad, "text\tlabel\n\ta\n \tb\n")
        refused("every text is empty", "--method", "full", data=bad)
        write(bad, "text\tlabel\nred\ta,b\nblue\tb,b\n")
        refused("bad.tsv:3: label \"b\" stands there twice", "--method", "full", "--task", "multi-label", data=bad)
        write(bad, "text\tlabel\nred\ta,b\nblue\tb\n")
        write(one, "text\tlabel\nred\ta,z\n")
        refused("one.tsv:2: unknown label \"z\"", "--method", "full", "--task", "multi-label", "--test", one, data=bad)
        refused("one of classification, multi-label, regression", "--method", "full", "--task", "ranking")

    def test_empty_texts_are_mentioned(self):
        some = os.path.join(self.root, "some.tsv")
        write(some, "text\tlabel\n\ta\nred\tb\nblue\ta\n")
        self.train("--method", "head", "--steps", "1", data=some)
        self.assertIn("note: 1 of 3 texts are empty", self.last.stderr)

    def test_modules_are_selected_by_layer_and_role(self):
        out = self.train("--train", "layer[-1].ffn.in,attn.q.b", "--steps", "3")
        training = self.stage(out)["training"]
        self.assertEqual((training["method"], training["set.train"]), ("select", "layer[-1].ffn.in,attn.q.b"))
        names, count = self.changed(out)
        layer = "encoder.layer.{}.{}".format
        self.assertEqual(names, {layer(1, "intermediate.dense.weight"), layer(1, "intermediate.dense.bias"), layer(0, "attention.self.query.bias"),
                                 layer(1, "attention.self.query.bias"), "classifier.weight", "classifier.bias"})
        out = self.train("--method", "fish", "--train", "emb.tok", "--density", "1%", "--steps", "3")
        self.assertEqual(self.changed(out)[0], {"embeddings.word_embeddings.weight", "classifier.weight", "classifier.bias"})

    def test_a_dry_run_refuses_what_a_run_would(self):
        for arguments in (["far", "--set", "learners=2"], ["far", "--set", "priming=1"], ["lt-sft", "--set", "mask_share=-1"], ["diff-pruning", "--structure", "rows"], ["random-mask", "--density", "0.001%"]):
            done = subprocess.run([TRAIN, "train", self.base, "--data", self.tables["train"], "--dry-run", "--method", *arguments],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)

    def test_a_dry_run_trains_nothing(self):
        done = subprocess.run([TRAIN, "train", self.base, "--data", self.tables["train"], "--method", "bitfit", "--dry-run"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("frozen  emb.tok", done.stdout)
        self.assertIn("train   attn.q.b  encoder.layer.1.attention.self.query.bias", done.stdout)
        self.assertRegex(done.stdout, r"training 608 of 17952 weights and 99 of the head\nmemory about .*: program and weights .*, method .*, activations ")

    def test_a_batch_in_parts_trains_the_same(self):
        def train(*arguments):
            out = self.train("--method", "full", "--steps", "8", "--batch", "20", *arguments)
            training = self.stage(out)["training"]
            return training, load_file(os.path.join(out, "tensors.safetensors")), read(out, "tensors.safetensors", mode="rb")

        whole, tensors, bits_of_whole = train()
        self.assertEqual({k: whole[k] for k in ("accumulate", "precision", "checkpoint_activations")},
                         {"accumulate": "1", "precision": "fp32", "checkpoint_activations": "no"})
        parts, others, bits_of_parts = train("--accumulate", "3")
        self.assertEqual(parts["accumulate"], "3")
        self.assertNotEqual(bits_of_parts, bits_of_whole)
        for name, tensor in tensors.items():
            if not name.endswith("key.bias"):  # no gradient but rounding's
                self.assertLess(float((tensor - others[name]).abs().max()), 2e-5, name)
        self.assertEqual(train("--accumulate", "3", "--checkpoint-activations")[2], bits_of_parts)
        self.assertEqual(train("--checkpoint-activations")[2], bits_of_whole)
        narrow = train("--precision", "bf16")
        self.assertEqual(narrow[0]["precision"], "bf16")
        self.assertNotEqual(narrow[2], bits_of_whole)

    def test_too_little_memory_is_one_line_with_advice(self):
        many = os.path.join(self.root, "long.tsv")
        write(many, "text\tlabel\n" + "".join(f"{' '.join(WORDS[(i + k) % len(WORDS)] for k in range(28))}\tis-{i % 3}\n" for i in range(16000)))

        def limited(*arguments, status=8):
            out = tempfile.mkdtemp(dir=self.root)
            command = [TRAIN, "train", "--out", out, self.base, "--data", many, "--method", "full", "--steps", "1", "--batch", "16000", "--threads", "1",
                       "-q", *arguments]
            done = subprocess.run(["bash", "-c", f'ulimit -v {LIMIT} && exec "$@"', "-", *command], capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual(bool(os.listdir(out)), status == 0)
            return done

        refused = r"^dstore: this needs about .*GB of memory and can have .*: try a smaller --batch.*--accumulate.*--checkpoint-activations; --ignore-memory.*\n$"
        self.assertRegex(limited().stderr, refused)
        self.assertRegex(limited("--dry-run").stderr, refused)
        self.assertRegex(limited("--ignore-memory").stderr, r"^dstore: out of memory: try a smaller --batch.*--accumulate.*\n$")
        limited("--accumulate", "100", status=0)


if __name__ == "__main__":
    unittest.main()
