"""Statistics for merges beside PyTorch: Fisher information by autograd, Gram matrices by forward hooks.

Usage: statistics_test.py DSTORE_TRAIN [MODEL_FOLDER]    (a real encoder, on a few texts; else a tiny one is made)
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from safetensors import safe_open
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
TRAIN = sys.argv[1]
MODEL = sys.argv[2] if len(sys.argv) > 2 else None
WORDS = "red green blue small large old new cat dog tree house runs sleeps grows stands here there now".split()


class StatisticsTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="dstore-statistics-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        torch.manual_seed(4)
        self.texts = [" ".join(WORDS[int(i)] for i in torch.randint(0, len(WORDS), (3 + 2 * row,))) for row in range(5)]
        self.data = self.root / "data.tsv"
        self.data.write_text("text\tlabel\n" + "".join(f"{text}\tb\n" for text in self.texts))

    def tiny(self, classes):
        folder = self.root / f"tiny{classes}"
        config = BertConfig(vocab_size=5 + len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
                            max_position_embeddings=32, num_labels=classes, hidden_dropout_prob=0.1)
        return self.save(BertForSequenceClassification(config), folder, "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS) + "\n", classes)

    def save(self, model, folder, vocabulary, classes):
        if classes > 1:
            model.config.id2label = dict(enumerate("abc"[:classes]))
            model.config.label2id = {name: i for i, name in enumerate("abc"[:classes])}
        else:
            model.config.problem_type = "regression"
            self.data.write_text("text\tlabel\n" + "".join(f"{text}\t0.5\n" for text in self.texts))
        torch.nn.init.normal_(model.classifier.weight, std=0.3)
        model.save_pretrained(folder)
        (folder / "vocab.txt").write_text(vocabulary)
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}')
        return folder

    def make(self, kind, folder, *more):
        out = self.root / f"{kind}.safetensors"
        subprocess.run([TRAIN, "statistics", kind, str(folder), "--data", str(self.data), "--output", str(out), "--weights", "ab" * 32, "--quiet", *more], check=True)
        with safe_open(out, "pt") as file:
            return {name: file.get_tensor(name).double() for name in file.keys()}, file.metadata()

    def encoded(self, folder):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return [tokenizer(text, return_tensors="pt") for text in self.texts]

    def compare(self, have, want, limit):
        whole = sum(float(tensor.norm()) ** 2 for tensor in want.values()) ** 0.5
        for name, tensor in want.items():
            scale = max(float(tensor.norm()), 1e-5 * whole)
            self.assertLess(float((have[name].reshape(tensor.shape) - tensor).norm()) / scale, limit, name)
        self.assertEqual(set(have), set(want))

    def fisher(self, folder, classes, limit):
        model = BertForSequenceClassification.from_pretrained(folder).eval()
        want = {name: torch.zeros(p.shape, dtype=torch.float64) for name, p in model.named_parameters()}
        for inputs in self.encoded(folder):
            logits = model(**inputs).logits[0]
            scores = logits if classes == 1 else logits.log_softmax(-1)
            for score in scores:
                model.zero_grad()
                score.backward(retain_graph=True)
                share = 1 if classes == 1 else float(score.detach().exp())
                for name, parameter in model.named_parameters():
                    want[name] += share * parameter.grad.double() ** 2 / len(self.texts)
        have, metadata = self.make("fisher", folder)
        self.compare(have, want, limit)
        self.assertEqual((metadata["dstore.statistic"], metadata["dstore.weights"], metadata["dstore.examples"]), ("fisher", "ab" * 32, "5"))

    def gram(self, folder, limit):
        model = BertForSequenceClassification.from_pretrained(folder).eval()
        want = {}

        def hook(name):
            def see(module, inputs):
                x = inputs[0].double().reshape(-1, inputs[0].shape[-1])
                want[name] = want.get(name, 0) + x.T @ x
            return see
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_pre_hook(hook(name + ".weight"))
        with torch.no_grad():
            for inputs in self.encoded(folder):
                model(**inputs)
        have, metadata = self.make("gram", folder, "--batch", "2")
        self.compare(have, want, limit)
        self.assertEqual(metadata["dstore.statistic"], "gram")

    def test_fisher(self):
        for classes in (3, 2, 1):
            self.fisher(self.tiny(classes), classes, 1e-4)

    def test_gram(self):
        self.gram(self.tiny(3), 1e-5)

    def test_a_real_encoder(self):
        if MODEL is None:
            self.skipTest("no model given")
        config = BertConfig.from_pretrained(MODEL, num_labels=3)
        model = BertForSequenceClassification.from_pretrained(MODEL, config=config)
        folder = self.save(model, self.root / "real", (pathlib.Path(MODEL) / "vocab.txt").read_text(), 3)
        self.fisher(folder, 3, 1e-3)
        self.gram(folder, 1e-4)

    def test_wrong_words(self):
        folder = self.tiny(2)
        out = self.root / "out.safetensors"
        for words, says in (((("gramm", str(folder)), "fisher or gram")), (("fisher", str(self.root / "absent/")), "absent")):
            done = subprocess.run([TRAIN, "statistics", *words, "--data", str(self.data), "--output", str(out)], capture_output=True, text=True)
            self.assertGreater(done.returncode, 1)
            self.assertIn(says, done.stderr)
            self.assertFalse(out.exists())
        done = subprocess.run([TRAIN, "statistics", "gram", str(folder), "--data", str(self.data), "--output", str(out), "--examples", "2", "--json"], capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout)["examples"], 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
