"""Tasks of every kind, evaluated and predicted by dstore-train, beside transformers.

Usage: predict_test.py DSTORE_TRAIN
"""
import json
import os
import signal
import subprocess
import tempfile
import unittest

from command_case import CommandCase, TRAIN
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from tiny_folder import WORDS, read, write


class PredictTest(CommandCase):
    def test_eval_reads_the_problem_type(self):
        values = [os.path.join(self.root, split + "-values.tsv") for split in ("train", "test")]
        out = self.train("--method", "head", "--task", "regression", "--steps", "2", data=values[0])
        folder = self.materialise(out)
        path = os.path.join(folder, "config.json")
        config = json.loads(read(path))
        config["problem_type"] = None
        write(path, json.dumps(config))
        self.assertIn("mse", self.evaluate(folder, values[1]))
        config["problem_type"] = "token_classification"
        write(path, json.dumps(config))
        self.evaluate(folder, values[1], status=7)
        self.assertIn("multi_label_classification", self.last.stderr)
        self.assertEqual(len(self.last.stderr.splitlines()), 1)

    def test_an_interrupt_stops_an_evaluation_too(self):
        many = os.path.join(self.root, "many.tsv")
        lines = read(self.tables["test"]).splitlines()
        write(many, "\n".join(lines[:1] + lines[1:] * 1000) + "\n")
        out = tempfile.mkdtemp(dir=self.root)
        process = subprocess.Popen([TRAIN, "train", "--out", out, self.base, "--data", self.tables["train"], "--method", "head",
                                    "--steps", "1", "--test", many, "--threads", "1"], stderr=subprocess.PIPE, text=True)
        self.assertTrue(any("1/1" in line for line in iter(process.stderr.readline, "")))
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=120)[1]
        self.assertEqual(process.returncode, 130, message)
        self.assertIn("nothing is staged", message)
        self.assertEqual(os.listdir(out), [])

    def test_regression(self):
        out = self.train("--method", "full", "--task", "regression", "--steps", "200", "--lr", "1e-3",
                         "--test", os.path.join(self.root, "test-values.tsv"), data=os.path.join(self.root, "train-values.tsv"))
        stage = self.stage(out)
        self.assertEqual(stage["metrics"][0]["metric"], "spearman")
        self.assertGreater(float(stage["metrics"][0]["value"]), 0.8)
        config = json.loads(read(out, "files", "config.json"))
        self.assertEqual(config["problem_type"], "regression")
        self.assertEqual(AutoModelForSequenceClassification.from_pretrained(self.materialise(out)).num_labels, 1)

    def predict(self, *arguments, status=0, text=None):
        done = subprocess.run([TRAIN, "predict", "--repository", self.root, "--threads", "2", *arguments], capture_output=True, text=True, input=text)
        self.assertEqual(done.returncode, status, done.stderr)
        self.last = done
        return done.stdout

    def reference_logits(self, folder, texts, pairs=None):
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with torch.no_grad():
            return model, torch.stack([model(**tokenizer(text, pair, return_tensors="pt")).logits[0] for text, pair in zip(texts, pairs or [None] * len(texts))])

    def write_multi_label(self):
        """Each text's labels are the colours in it, some texts have none."""
        torch.manual_seed(3)
        texts, labels = [], []
        for _ in range(160):
            words = [WORDS[int(i)] for i in torch.randint(0, len(WORDS), (int(torch.randint(3, 9, ())),))]
            texts.append(" ".join(words))
            labels.append(sorted(set(words) & {"red", "green", "blue"}))
        assert any(not names for names in labels) and any(len(names) > 1 for names in labels)
        lines = os.path.join(self.root, "colours.jsonl")
        write(lines, "".join(json.dumps({"text": t, "label": names}) + "\n" for t, names in zip(texts, labels)))
        table = os.path.join(self.root, "colours.tsv")
        write(table, "text\tlabel\n" + "".join(f"{t}\t{', '.join(names)}\n" for t, names in zip(texts, labels)))
        return texts, labels, lines, table

    def test_multi_label(self):
        texts, labels, lines, table = self.write_multi_label()
        out = self.train("--method", "full", "--task", "multi-label", "--steps", "300", "--lr", "2e-3", "--dev", table, "--test", lines, data=lines)
        folder = self.materialise(out)
        config = json.loads(read(folder, "config.json"))
        self.assertEqual((config["problem_type"], config["id2label"]), ("multi_label_classification", {"0": "blue", "1": "green", "2": "red"}))
        reported = {m["metric"]: float(m["value"]) for m in self.stage(out)["metrics"] if m["split"] == "test"}
        self.assertEqual(list(reported), ["micro_f1", "macro_f1", "subset_accuracy"])
        self.assertGreater(reported["micro_f1"], 0.6)
        self.assertEqual({k: float(v) for k, v in self.evaluate(folder, table).items()}, reported)

        model, logits = self.reference_logits(folder, texts)
        self.assertEqual(model.config.problem_type, "multi_label_classification")
        rows = [json.loads(line) for line in self.predict(folder, "--data", lines, "--json").splitlines()]
        worst, right = 0, 0
        for row, names, theirs in zip(rows, labels, logits.double().sigmoid(), strict=True):
            ours = torch.tensor([row["probabilities"][name] for name in ("blue", "green", "red")], dtype=torch.float64)
            worst = max(worst, (ours - theirs).abs().max().item())
            self.assertEqual(row["labels"], [model.config.id2label[i] for i in range(3) if theirs[i] > 0.5])
            right += row["labels"] == names
        self.assertLess(worst, 1e-5)
        self.assertEqual(right / len(rows), reported["subset_accuracy"])
        fields = [line.split("\t") for line in self.predict(folder, "--data", table).splitlines()]
        self.assertEqual(fields[0], ["labels", "p(blue)", "p(green)", "p(red)"])
        self.assertEqual([row[0] for row in fields[1:]], [",".join(row["labels"]) for row in rows])

    def test_methods_that_look_at_labels_take_several(self):
        _, _, lines, _ = self.write_multi_label()
        for arguments in (["fish", "--set", "estimate=label"], ["fish", "--set", "estimate=expect"], ["diff-pruning"], ["lt-sft"]):
            with self.subTest(arguments):
                out = self.train("--method", *arguments, "--density", "1%", "--task", "multi-label", "--steps", "6", "-q", data=lines)
                self.assertEqual(self.stage(out)["training"]["task"], "multi-label")

    def test_predict_says_what_eval_measured_and_transformers_computes(self):
        out = self.train("--method", "full", "--epochs", "8", "--lr", "2e-3")
        folder = self.materialise(out)
        table = self.tables["test"]
        texts, labels = zip(*(line.split("\t") for line in read(table).splitlines()[1:]))
        unlabelled = os.path.join(self.root, "texts.csv")
        write(unlabelled, "id,text\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(texts)))
        written = os.path.join(self.root, "out.jsonl")
        self.assertIn("60 predictions", self.predict(folder, "--data", unlabelled, "-o", written, "--text-column", "text"))
        rows = [json.loads(line) for line in read(written).splitlines()]
        model, logits = self.reference_logits(folder, texts)
        for row, theirs in zip(rows, logits.double().softmax(-1), strict=True):
            best = int(theirs.argmax())
            self.assertEqual(row["label"], model.config.id2label[best])
            self.assertAlmostEqual(row["probability"], theirs[best].item(), delta=1e-5)
            self.assertAlmostEqual(sum(row["probabilities"].values()), 1, delta=1e-6)
        right = sum(row["label"] == label for row, label in zip(rows, labels)) / len(rows)
        self.assertEqual(right, float(self.evaluate(folder, table)["accuracy"]))
        tsv = self.predict(folder, "--data", table, "--batch", "7").splitlines()  # its labels are ignored
        self.assertEqual(tsv[0].split("\t")[:3], ["label", "probability", "p(is-blue)"])
        self.assertEqual([line.split("\t")[0] for line in tsv[1:]], [row["label"] for row in rows])
        summary = json.loads(self.predict(folder, "--data", table, "--batch", "7", "--json", "-o", os.path.join(self.root, "again.tsv")))
        self.assertEqual((summary["n"], read(self.root, "again.tsv").splitlines()), (60, tsv))
        wrong = os.path.join(self.root, "wrong.jsonl")
        write(wrong, '{"text": "red cat", "label": null}\n{"text": "", "label": ["no such"]}\n')
        self.assertEqual(len(self.predict(folder, "--data", wrong).splitlines()), 3)

    def test_predict_scores_a_regression_and_pairs(self):
        values = os.path.join(self.root, "train-values.tsv")
        folder = self.materialise(self.train("--method", "full", "--task", "regression", "--steps", "20", data=values))
        texts = [line.split("\t")[0] for line in read(self.tables["test"]).splitlines()[1:]]
        _, logits = self.reference_logits(folder, texts)
        lines = self.predict(folder, "--data", self.tables["test"]).splitlines()
        self.assertEqual(lines[0], "score")
        for line, theirs in zip(lines[1:], logits, strict=True):
            self.assertAlmostEqual(float(line), theirs.item(), delta=1e-5)
        pairs = os.path.join(self.root, "pairs.tsv")
        write(pairs, "sentence1\tsentence2\tlabel\n" + "".join(f"{a}\t{b}\t{'same' if a[0] == b[0] else 'other'}\n" for a, b in zip(texts, texts[1:])))
        folder = self.materialise(self.train("--method", "full", "--steps", "10", data=pairs))
        model, logits = self.reference_logits(folder, texts[:-1], texts[1:])
        rows = [json.loads(line) for line in self.predict(folder, "--data", pairs, "--json").splitlines()]
        for row, theirs in zip(rows, logits.double().softmax(-1), strict=True):
            self.assertAlmostEqual(row["probabilities"]["same"], theirs[model.config.label2id["same"]].item(), delta=1e-5)

    def test_predict_answers_a_pipe_line_by_line(self):
        folder = self.materialise(self.train("--method", "head", "--steps", "3"))
        command = [TRAIN, "predict", folder, "--data", "-", "--format", "jsonl", "--json", "--threads", "1"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        answers = []
        for text in ("red cat", "blue dog runs", "green"):
            process.stdin.write(json.dumps({"text": text}) + "\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline())["label"])  # before the input ends
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, rest), (130, ""), error)
        self.assertIn("interrupted after 3 rows", error)
        whole = self.predict(folder, "--data", "-", "--format", "tsv", text="text\nred cat\nblue dog runs\ngreen\n")
        self.assertEqual([line.split("\t")[0] for line in whole.splitlines()[1:]], answers)

    def test_predict_leaves_no_half_written_file(self):
        folder = self.materialise(self.train("--method", "head", "--steps", "3"))
        data, out = os.path.join(self.root, "late.tsv"), tempfile.mkdtemp(dir=self.root)
        write(data, "text\tlabel\n" + "red cat\tx\n" * 3 + "too\tmany\tcolumns\n")

        def refused(words, *arguments, status=2, text=None):
            self.predict(*arguments, status=status, text=text)
            lines = self.last.stderr.splitlines()
            self.assertEqual(len(lines), 1, self.last.stderr)
            self.assertIn(words, lines[0])
            self.assertEqual(os.listdir(out), [])

        refused("late.tsv:5", folder, "--data", data, "-o", os.path.join(out, "x.tsv"))
        refused("is the data itself", folder, "--data", data, "-o", data)
        refused(".tsv or .jsonl", folder, "--data", data, "-o", os.path.join(out, "x.csv"))
        refused("it is a base, not a trained task", self.base, "--data", data)
        refused("--format", folder, "--data", "-")
        refused("--data", folder)
        refused("REV or FOLDER", "--data", data)
        refused("the file is empty", folder, "--data", "-", "--format", "tsv", text="")
        refused("no column \"sentence9\"", folder, "--data", data, "--text-column", "sentence9")
        refused("none.tsv", folder, "--data", os.path.join(self.root, "none.tsv"), status=3)


if __name__ == "__main__":
    unittest.main()
