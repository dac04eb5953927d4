"""`dstore commit`, `checkout` and `export` beside PEFT itself: folds, and folders that PEFT loads.

    PYTHON peft_parity.py      (DSTORE_BIN; PYTHON has torch, safetensors, transformers and peft; DSTORE_MINILM: a folder, optional)

A fold must equal merge_and_unload in F32 within 1e-6; PEFT multiplies with the machine's own matrix product, so the last bits differ.
"""
import json
import os
import pathlib
import sys
import unittest
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from peft import LoraConfig, PeftModel, ShiraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig, BertForSequenceClassification, BertModel, GPT2Config, GPT2Model
from transformers.utils import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from sandbox import CONFLICT, USAGE, Case, snapshot  # noqa: E402

logging.set_verbosity_error()
logging.disable_progress_bar()
warnings.filterwarnings("ignore")
TINY = dict(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=20)


def randomise(model, seed, part="lora_"):
    """What training would do to the adapter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if part in name or "modules_to_save" in name:
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator, dtype=torch.float32).to(parameter.dtype)


class PeftCase(Case):
    def setUp(self):
        super().setUp()
        torch.manual_seed(3)
        self.run_plain("init", self.repo)

    def base(self, model, name="base"):
        folder = self.root / name
        model.save_pretrained(folder)
        self.ok("import", folder, "--name", name)
        return folder

    def adapter(self, model, config, name="a", base="base", part="lora_"):
        """Trains nothing, saves, commits; returns PEFT's merged state and the folder."""
        peft = get_peft_model(model, config)
        randomise(peft, 7, part)
        folder = self.root / f"{name}-folder"
        peft.save_pretrained(folder)
        self.ok("commit", folder, "--base", base, "--name", name, "-m", "an adapter")
        merged = {key: value.clone() for key, value in peft.merge_and_unload().state_dict().items()}
        return merged, folder

    def fold(self, revision):
        out = self.root / revision.replace("+", "-with-")
        self.ok("checkout", revision, "-o", out)
        return {name: tensor for path in sorted(out.glob("*.safetensors")) for name, tensor in load_file(path).items()}

    def assert_fold(self, merged, revision, tolerance=1e-6):
        have = self.fold(revision)
        for name, tensor in have.items():
            if name.endswith("position_ids") and name not in merged:
                continue  # a constant that transformers does not keep
            self.assertTrue(torch.allclose(tensor.float(), merged[name].float(), rtol=0, atol=tolerance), name)
        return have

    def assert_round_trip(self, name, folder):
        out = self.root / f"{name}-back"
        self.ok("checkout", name, "--format", "peft", "-o", out)
        self.assertEqual(snapshot(out), snapshot(folder))
        self.assertEqual(self.ok("fsck", "--deep").code, 0)

    def decoder_agrees(self, name, folder):
        """The independent reader: the same folded files, and the same folder."""
        decode = pathlib.Path(__file__).resolve().parents[2] / "spec" / "decode.py"
        for more, wanted in (([], self.root / "fold-by-program"), (["--adapter"], folder)):
            out = self.root / f"decoded{len(more)}"
            if not more:
                self.ok("checkout", name, "-o", wanted)
            done = __import__("subprocess").run([sys.executable, str(decode), str(self.repo / ".dstore"), name, "-o", str(out), *more], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(snapshot(out), snapshot(wanted))


class CommitTest(PeftCase):
    def test_lora_of_every_kind_folds_as_merge_and_unload(self):
        for number, options in enumerate((
                dict(r=4, lora_alpha=8, target_modules=["query", "value"]),
                dict(r=4, lora_alpha=16, use_rslora=True, target_modules=["query", "output.dense"]),
                dict(r=4, lora_alpha=4, target_modules=["query", "key", "intermediate.dense"], rank_pattern={"key": 2, r"^encoder.layer.1.attention.self.query": 6},
                     alpha_pattern={r"layer.\d.intermediate.dense": 1, "value": 3}),
                dict(r=2, target_modules=["word_embeddings", "query"]))):
            with self.subTest(options=options):
                name = f"a{number}"
                model = BertModel(BertConfig(**TINY))
                self.base(model, f"base{number}")
                merged, folder = self.adapter(model, LoraConfig(**options), name, f"base{number}")
                have = self.assert_fold(merged, f"base{number}+{name}")
                self.assertEqual({key: value.numel() for key, value in self.fold(name).items()}, {key: value.numel() for key, value in have.items()})
                self.assert_round_trip(name, folder)

    def test_a_head_and_the_prefix_of_its_model(self):
        bare = BertModel(BertConfig(**TINY))
        self.base(bare)
        model = BertForSequenceClassification(BertConfig(**TINY, num_labels=5))
        model.bert.load_state_dict(bare.state_dict(), strict=False)
        merged, folder = self.adapter(model, LoraConfig(r=4, target_modules=["query", "value"], modules_to_save=["classifier"], task_type="SEQ_CLS"))
        have = self.assert_fold({**merged, "bert.pooler.dense.weight": bare.pooler.dense.weight, "bert.pooler.dense.bias": bare.pooler.dense.bias}, "base+a")
        self.assertIn("classifier.weight", have)
        self.assertIn("bert.embeddings.word_embeddings.weight", have)
        self.assert_round_trip("a", folder)
        self.decoder_agrees("a", folder)
        exact = self.root / "exact"
        self.ok("export", "a", "--format", "peft-lora", "-o", exact)
        self.assertEqual(snapshot(exact), snapshot(folder))
        loaded = PeftModel.from_pretrained(model.__class__(model.config), exact)
        self.assertTrue(torch.equal(loaded.state_dict()["base_model.model.classifier.modules_to_save.default.weight"], merged["classifier.weight"]))

    def test_conv1d_of_gpt2(self):
        model = GPT2Model(GPT2Config(vocab_size=50, n_positions=16, n_embd=32, n_layer=1, n_head=2))
        self.base(model)
        merged, folder = self.adapter(model, LoraConfig(r=3, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True))
        self.assert_fold(merged, "base+a")
        self.assert_round_trip("a", folder)

    def test_shira_folds_and_comes_back(self):
        model = BertModel(BertConfig(**TINY))
        self.base(model)
        merged, folder = self.adapter(model, ShiraConfig(r=2, target_modules=["query", "output.dense"], random_seed=1), part="shira_")
        have = self.assert_fold(merged, "base+a", 0)
        self.assertTrue(all(torch.equal(have[name], merged[name]) for name in have))
        self.assert_round_trip("a", folder)
        self.decoder_agrees("a", folder)

    def test_half_precision_rounds_once(self):
        model = BertModel(BertConfig(**TINY)).to(torch.bfloat16)
        self.base(model)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=6, target_modules=["query"]), autocast_adapter_dtype=False)
        randomise(peft, 7)
        peft.save_pretrained(self.root / "folder")
        self.ok("commit", self.root / "folder", "--base", "base", "--name", "a", "-m", "bf16")
        factors = load_file(self.root / "folder" / "adapter_model.safetensors")
        have = self.fold("a")
        for name, tensor in have.items():
            stem = "base_model.model." + name.removesuffix(".weight")
            if f"{stem}.lora_A.weight" not in factors:
                self.assertTrue(torch.equal(tensor, before[name]))
                continue
            b, a = factors[f"{stem}.lora_B.weight"].float(), factors[f"{stem}.lora_A.weight"].float()
            total = torch.zeros(b.shape[0], a.shape[1])
            for k in range(a.shape[0]):  # spec/objects.md, low_rank
                total = total + b[:, k:k + 1] * a[k:k + 1]
            self.assertTrue(torch.equal(tensor, (before[name].float() + torch.tensor(1.5) * total).to(torch.bfloat16)))

    def test_what_cannot_be_folded_is_refused(self):
        model = BertModel(BertConfig(**TINY))
        self.base(model)
        for number, (options, says) in enumerate(((dict(use_dora=True), "DoRA"), (dict(bias="all"), "biases"), (dict(lora_bias=True), "biases of its own"),
                                                   (dict(init_lora_weights="pissa"), "changes the base"))):
            peft = get_peft_model(BertModel(BertConfig(**TINY)), LoraConfig(r=2, target_modules=["query"], **options))
            folder = self.root / f"refused{number}"
            peft.save_pretrained(folder)
            self.fails(7, "commit", folder, "--base", "base", "--name", "a", "-m", "no", says=(says, "merge_and_unload"))

    def test_real_model(self):
        if "DSTORE_MINILM" not in os.environ:
            self.skipTest("DSTORE_MINILM is not set")
        minilm = os.environ["DSTORE_MINILM"]
        self.ok("import", minilm, "--name", "base")
        model = AutoModel.from_pretrained(minilm)
        merged, folder = self.adapter(model, LoraConfig(r=8, lora_alpha=16, target_modules=["query", "key", "value", "dense"]))
        self.assert_fold(merged, "base+a")
        stored = self.ok("show", "a", "--json").json["sizes"]["stored_bytes"]
        self.assertLess(stored, 1.05 * sum(path.stat().st_size for path in folder.iterdir()) + 20_000)
        self.assert_round_trip("a", folder)


class ExportTest(PeftCase):
    def setUp(self):
        super().setUp()
        self.model = BertModel(BertConfig(**TINY))
        self.base(self.model)

    def commit(self, name, change, save=None):
        """A task whose weights are the base's after change(name, tensor)."""
        state = {key: change(key, value.clone()).contiguous() for key, value in load_file(self.root / "base" / "model.safetensors").items()}
        folder = self.root / name
        folder.mkdir()
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        (folder / "config.json").write_bytes((self.root / "base" / "config.json").read_bytes())
        self.ok("commit", folder, "--base", "base", "--name", name, "-m", name)
        return state

    def merged_by_peft(self, folder):
        model = BertModel.from_pretrained(self.root / "base")
        peft = PeftModel.from_pretrained(model, folder)
        return peft.merge_and_unload().state_dict()

    def test_lora_of_a_low_rank_task_loses_nothing(self):
        torch.manual_seed(1)
        wanted = self.commit("t", lambda name, w: w + 0.1 * torch.randn(w.shape[0], 3) @ torch.randn(3, w.shape[1]) if "query.weight" in name or "word_emb" in name else w)
        report = self.ok("export", "t", "--format", "peft-lora", "--rank", "3", "-o", self.root / "lora", "--json").json
        self.assertLess(float(report["lost"]), 1e-9)
        have = self.merged_by_peft(self.root / "lora")
        for name, tensor in wanted.items():
            self.assertTrue(torch.allclose(have[name], tensor, rtol=0, atol=2e-6), name)

    def test_the_loss_of_lora_is_that_of_the_best_approximation(self):
        torch.manual_seed(2)
        deltas = {}

        def change(name, w):
            if "attention.self" not in name:
                return w + 0.01 if name.endswith("LayerNorm.bias") else w
            deltas[name] = 0.1 * torch.randn(w.shape)
            return w + deltas[name]
        wanted = self.commit("t", change)
        report = self.ok("export", "t", "--format", "peft-lora", "--rank", "5", "-o", self.root / "lora", "--json").json
        have = self.merged_by_peft(self.root / "lora")
        base = load_file(self.root / "base" / "model.safetensors")
        rows = {row["name"]: row for row in report["tensors"]}
        for name, delta in deltas.items():
            if delta.dim() < 2:
                self.assertIn("left_out", rows[name])
                continue
            delta = (wanted[name] - base[name]).double()
            values = torch.linalg.svdvals(delta)
            best = float((values[5:] ** 2).sum() / (values ** 2).sum())
            self.assertAlmostEqual(float(rows[name]["lost"]), best, delta=2e-3)
            real = float(((have[name] - wanted[name]).double() ** 2).sum() / (delta ** 2).sum())
            self.assertAlmostEqual(float(rows[name]["lost"]), real, delta=1e-5)
        self.assertIn("left_out", rows["encoder.layer.0.output.LayerNorm.bias"])
        again = self.root / "again"
        self.ok("export", "t", "--format", "peft-lora", "--rank", "5", "-o", again)
        self.assertEqual(snapshot(again), snapshot(self.root / "lora"))

    def test_shira_of_a_sparse_task(self):
        torch.manual_seed(4)

        def change(name, w):
            if "query.weight" in name or "intermediate.dense.weight" in name:
                mask = torch.rand(w.shape) < 0.03
                return torch.where(mask, w + 0.01 * torch.randn(w.shape), w)
            return w
        wanted = self.commit("t", change)
        report = self.ok("export", "t", "--format", "peft-shira", "-o", self.root / "shira", "--json").json
        have = self.merged_by_peft(self.root / "shira")
        wrong = sum(int((have[name] != tensor).sum()) for name, tensor in wanted.items())
        self.assertEqual(wrong, sum(row["inexact"] for row in report["tensors"]))
        self.assertTrue(all(torch.allclose(have[name], tensor, rtol=0, atol=1e-6) for name, tensor in wanted.items()))
        self.ok("commit", self.root / "shira", "--base", "base", "--name", "again", "-m", "back")
        fold = self.fold("again")
        self.assertTrue(all(torch.equal(fold[name], have[name]) for name in fold))

    def test_a_dense_task_is_no_shira(self):
        self.commit("t", lambda name, w: w + 0.01 if "intermediate.dense.weight" in name else w)
        self.fails(USAGE, "export", "t", "--format", "peft-shira", "-o", self.root / "shira", says=("intermediate.dense.weight", "sparsify"))
        self.assertFalse((self.root / "shira").exists())
        self.assertEqual([path.name for path in self.root.iterdir() if "tmp" in path.name], [])

    def test_hf_is_the_checkout_without_a_record(self):
        self.commit("t", lambda name, w: w + 0.01 if "query.weight" in name else w)
        self.ok("export", "base+t", "--format", "hf", "-o", self.root / "hf")
        self.ok("checkout", "base+t", "-o", self.root / "checkout")
        self.assertEqual(snapshot(self.root / "hf"), snapshot(self.root / "checkout"))
        self.assertFalse((self.root / "hf" / ".dstore-checkout").exists())
        self.fails(CONFLICT, "export", "t", "--format", "hf", "-o", self.root / "hf", says="not empty")
        json.loads((self.root / "hf" / "config.json").read_text())


if __name__ == "__main__":
    unittest.main()
