"""Merge methods beside their papers' formulas, written here in torch and fp64: TIES of paper and peft, PCB, Fisher, RegMean, consensus,
DELLA; NuSLERP and model stock by rows and columns beside mergekit.

    PYTHON reference_parity.py      (DSTORE_BIN; PYTHON has torch, safetensors and mergekit)
"""
import unittest

import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import TensorGroup
from parity_case import ParityCase
from safetensors.torch import load_file, save_file


def flat(model):
    """The whole model as one vector, tensors in the order of their names."""
    return torch.cat([model[name].double().reshape(-1) for name in sorted(model)])


def unflat(vector, like):
    out, at = {}, 0
    for name in sorted(like):
        count = like[name].numel()
        out[name] = vector[at:at + count].reshape(like[name].shape)
        at += count
    return out


class ReferenceTest(ParityCase):
    def differences(self, models, names):
        """In the models' dtype, as dstore takes them; rows of fp64."""
        base = models[0]
        return torch.stack([flat({name: models[1 + "abc".index(model)][name] - base[name] for name in base}) for model in names])

    def compare_whole(self, models, names, result, change, left_out=None, tolerance=4.0):
        """`change`: of the flat model, in fp64. `left_out`: a flat mask."""
        wanted = unflat(flat(models[0]) + change, models[0])
        self.compare(models, names, result, wanted, tolerance, None if left_out is None else unflat(left_out, models[0]))

    def test_ties_as_in_the_paper(self):
        for label in ("f32", "f64", "bf16"):
            models = self.store(label)
            print(f"ties, preset paper, {label}")
            tau = self.differences(models, "abc")
            keep = int(0.3 * tau.shape[1])
            threshold = tau.abs().sort(dim=1, descending=True).values[:, keep - 1:keep]
            kept = tau * (tau.abs() >= threshold)
            sign = torch.sign(kept.sum(dim=0))
            sign[sign == 0] = 1 if sign.sum() >= 0 else -1
            agrees = torch.where(sign > 0, kept > 0, kept < 0)
            change = 0.7 * (kept * agrees).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)
            unclear = kept.sum(dim=0).abs() < (1e-9 if label != "bf16" else 1e-4) * (kept != 0).any(dim=0)  # its sign is the rounding's
            result = self.merged(label, "abc", "--method", "ties", "--preset", "paper", "--density", "0.3", "--set", "lambda=0.7")
            self.compare_whole(models, "abc", result, change, unclear)

    def test_ties_as_in_peft(self):
        def oracle(base, tensors):
            tau = torch.stack([(tensor - base).double() for tensor in tensors])
            rows = tau.reshape(len(tensors), -1)
            for i, density in enumerate((0.5, 0.7, 0.3)):
                keep = int(density * rows.shape[1])
                mask = torch.zeros_like(rows[i]).scatter_(0, rows[i].abs().topk(keep).indices, 1)
                rows[i] *= mask
            sign = torch.where(rows.sum(dim=0) >= 0, 1, -1)
            agrees = rows.sign() == sign
            weighted = rows * torch.tensor([0.5, -0.3, 0.4], dtype=torch.float64)[:, None]
            return (base.double().reshape(-1) + (weighted * agrees).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)).reshape(base.shape)
        for label in ("f32", "f64"):
            models = self.store(label)
            print(f"ties, preset peft, {label}")
            result = self.merged(label, "abc", "--method", "ties", "--preset", "peft", "--weights", "0.5,-0.3,0.4", "--density", "0.5,0.7,0.3")
            self.compare(models, "abc", result, oracle, tolerance=4)

    def test_means_and_ties_of_elections(self):
        models = self.store("f64")
        for mean in ("sum", "max"):
            def oracle(base, tensors, mean=mean):
                tau = torch.stack([tensor - base for tensor in tensors])
                sign = torch.where(tau.sum(dim=0) >= 0, 1, -1)
                chosen = tau * (tau.sign() == sign)
                return base + (chosen.sum(dim=0) if mean == "sum" else chosen.abs().max(dim=0).values * sign)
            self.compare(models, "abc", self.merged("f64", "abc", "--method", "ties", "--set", f"mean={mean}"), oracle, tolerance=4)
        result = self.merged("f64", "ab", "--method", "ties", "--set", "elect=count", "--set", "tie=base")
        for name in ("dense", "vector"):
            base, a, b = (model[name] for model in models[:3])
            opposed = (a - base).sign() == -(b - base).sign()
            self.assertTrue(torch.equal(result[name][opposed], base[opposed]))

    def test_share_of_what_changed(self):
        models = self.store("f32")
        result = self.merged("f32", "c", "--method", "magnitude_prune", "--density", "0.25", "--set", "density_of=nnz")
        for name in ("dense", "sparse", "vector"):
            change = (models[3][name] - models[0][name]).abs().reshape(-1)
            count = int(0.25 * int((change > 0).sum()))
            kept = (result[name] != models[0][name]).reshape(-1)
            self.assertEqual(int(kept.sum()), count)
            self.assertGreaterEqual(float(change[kept].min()), float(change[~kept].max()))

    def test_pcb(self):
        def clamp(x, low, high):
            ordered = x.sort(dim=1).values
            count = x.shape[1]
            return x.clamp(ordered[:, int(count * low)].unsqueeze(1), ordered[:, int(count * (1 - high) - 1)].unsqueeze(1))

        def normalized(x):
            least, most = x.min(dim=1, keepdim=True).values, x.max(dim=1, keepdim=True).values
            return (x - least) / (most - least)
        for label, names in (("f64", "abc"), ("f32", "abc"), ("f32", "c")):
            models = self.store(label) if (label, names) != ("f32", "c") else models
            print(f"pcb {label}")
            tau = self.differences(models, names)
            size = clamp(tau.abs(), 1e-4, 1e-4)
            score = torch.exp(len(names) * normalized(size) ** 2) * torch.tanh(tau * tau.sum(dim=0))
            scale = normalized(clamp(score, 1 - 0.2, 0))
            change = 1.3 * (tau.sign() * size * scale).sum(dim=0) / scale.sum(dim=0).clamp(min=1e-12)
            result = self.merged(label, names, "--method", "pcb", "--set", "ratio=0.2", "--set", "lambda=1.3")
            self.compare_whole(models, names, result, change)

    def statistics(self, kind, label, make):
        """A file for each model; make(name, tensor) gives its statistic or None."""
        files = []
        for name in "abc":
            weights = self.ok("show", f"{label}-{name}", "--json").json["weights"]
            tensors = {key: value for key, value in ((key, make(key, self.models[1 + "abc".index(name)][key])) for key in self.models[0]) if value is not None}
            files.append(self.root / f"{kind}-{label}-{name}.safetensors")
            save_file(tensors, files[-1], {"dstore.statistic": kind, "dstore.weights": weights})
        return files

    def test_fisher(self):
        random = torch.Generator().manual_seed(3)
        for label in ("f32", "f64", "bf16"):
            self.models = models = self.store(label)
            files = self.statistics("fisher", label, lambda name, tensor: (0.01 * torch.rand(tensor.shape, generator=random)).float())
            fisher = [load_file(file) for file in files]
            for normalize in (True, False):
                print(f"fisher {label}")
                factors = [0.5, 0.3, 0.2]
                if normalize:
                    norms = [1 / (sum(float((f[name].double() ** 2).sum()) for name in f) ** 0.5 + 1e-6) for f in fisher]
                    factors = [factor * norm / sum(norms) for factor, norm in zip(factors, norms)]
                wanted = {}
                for name in models[0]:
                    terms = [(factor * (f[name].double() + 1e-6), model[name].double()) for factor, f, model in zip(factors, fisher, models[1:])]
                    wanted[name] = sum(c * x for c, x in terms) / sum(c for c, _ in terms)
                result = self.merged(label, "abc", "--method", "fisher", "--weights", "0.5,0.3,0.2", "--set", f"normalize_fisher={str(normalize).lower()}",
                                     "--statistics", ",".join(map(str, files)))
                self.compare(models, "abc", result, wanted, tolerance=100 if label == "f64" else 1)

    def test_regmean(self):
        random = torch.Generator().manual_seed(4)
        for label in ("f32", "f64"):
            self.models = models = self.store(label)

            def gram(name, tensor):
                if tensor.dim() != 2 or name == "untouched":
                    return None
                inputs = torch.randn([3 * tensor.shape[1], tensor.shape[1]], generator=random, dtype=torch.float64)
                return (inputs.T @ inputs).float()
            files = self.statistics("gram", label, gram)
            grams = [load_file(file) for file in files]
            for off in (1.0, 0.9):
                print(f"regmean {label}")
                wanted = {}
                for name in models[0]:
                    if name not in grams[0]:
                        wanted[name] = sum(model[name].double() for model in models[1:]) / 3
                        continue
                    scaled = [g[name].double() * (off + (1 - off) * torch.eye(g[name].shape[0], dtype=torch.float64)) for g in grams]
                    right = sum(g @ model[name].double().T for g, model in zip(scaled, models[1:]))
                    wanted[name] = torch.linalg.solve(sum(scaled), right).T
                result = self.merged(label, "abc", "--method", "regmean", "--set", f"off_diagonal={off}", "--statistics", ",".join(map(str, files)))
                self.compare(models, "abc", result, wanted, tolerance=1 if label == "f32" else 2000)

    def test_regmean_of_too_few_inputs_says_what_it_added(self):
        self.models = models = self.store("f32")
        files = self.statistics("gram", "f32", lambda name, tensor: torch.ones(tensor.shape[1], tensor.shape[1]) if tensor.dim() == 2 else None)
        done = self.ok("merge", "f32-a", "f32-b", "f32-c", "--method", "regmean", "--name", "singular", "--statistics", ",".join(map(str, files)))
        self.assertIn("singular", done.err)
        self.assertIn("dense", done.err)

    def test_consensus(self):
        for label in ("f32", "bf16"):
            models = self.store(label)
            print(f"consensus {label}")

            def oracle(base, tensors):
                tau = torch.stack([tensor - base for tensor in tensors])
                total = sum(t.float() if t.dtype == torch.bfloat16 else t for t in tau).to(base.dtype)
                agree = (tau.double().abs() >= 0.4 * (total.double() - tau.double()).abs()).sum(dim=0) >= 2
                return torch.where(agree, base + (total * 0.5), base)
            self.compare(models, "abc", self.merged(label, "abc", "--method", "consensus", "--set", "lambda=0.5"), oracle, tolerance=2)

    def test_della_keeps_by_rank(self):
        models = self.store("f32")
        density, epsilon = 0.4, 0.3
        result = self.merged("f32", "a", "--method", "della_linear", "--density", str(density), "--set", f"epsilon={epsilon}", "--seed", "3")
        l1 = self.merged("f32", "a", "--method", "della_linear", "--density", str(density), "--set", f"epsilon={epsilon}", "--preset", "mergekit", "--seed", "3")
        expected = variance = kept = 0.0
        for name in ("dense", "vector", "one"):
            base, change = models[0][name], models[1][name] - models[0][name]
            rows = change.reshape(-1, change.shape[-1])
            ranks = rows.abs().argsort(dim=1).argsort(dim=1).float()
            q = (density - epsilon) + ranks / max(1, rows.shape[1] - 1) * 2 * epsilon if rows.shape[1] > 1 else torch.full_like(rows, density)
            have = (result[name] - base).reshape(rows.shape)
            mask = have != 0
            self.assertTrue(torch.allclose(have[mask], (rows / q)[mask], rtol=1e-4, atol=2e-7), name)
            for part in range(4):  # of the ranks
                chosen = (q >= q.min() + part * (q.max() - q.min()) / 4) & (q <= q.min() + (part + 1) * (q.max() - q.min()) / 4)
                deviation = abs(float(mask[chosen].sum() - q[chosen].sum())) / float((q * (1 - q))[chosen].sum() + 1e-9) ** 0.5
                self.assertLess(deviation, 5, f"{name} part {part}")
            expected, variance, kept = expected + float(q.sum()), variance + float((q * (1 - q)).sum()), kept + float(mask.sum())
            self.assertTrue(torch.equal((l1[name] != base).reshape(rows.shape), mask))
            if name != "one":
                self.assertAlmostEqual(float((l1[name] - base).abs().sum() / change.abs().sum()), 1, places=4)
        print(f"della: kept {kept:.0f}, expected {expected:.0f}, {abs(kept - expected) / variance ** 0.5:.2f} standard deviations")
        self.fails(2, "merge", "f32-a", "--method", "della", "--density", "0.1", "--name", "no", says=("epsilon", "0.15"))

    def test_rows_and_columns(self):
        class Weights(dict):
            def values_for(self, entries):
                return [self[entry.id] for entry in entries]
        for label in ("f32", "f64"):
            models = self.store(label)
            print(f"nuslerp and model_stock by rows {label}")
            two_axes = [{name: tensor for name, tensor in model.items() if tensor.dim() == 2} for model in models]
            for vectors, row_wise in (("rows", False), ("columns", True)):
                def nuslerp(base, tensors, row_wise=row_wise):
                    group = TensorGroup.from_tensors([base, *tensors], ids=["base", 0, 1], base_index=0)
                    return registry.get("nuslerp").merge_group(group, weight=Weights({0: 0.6, 1: 0.2}), nuslerp_row_wise=row_wise, nuslerp_flatten=False)
                result = self.merged(label, "ab", "--method", "nuslerp", "--weights", "0.6,0.2", "--set", f"vectors={vectors}")
                self.compare(two_axes, "ab", result, nuslerp, tolerance=32)

            def stock(base, tensors):
                group = TensorGroup.from_tensors([base, *tensors], ids=["base", 0, 1, 2], base_index=0)
                return registry.get("model_stock").merge_group(group, filter_wise=True)
            self.compare(two_axes, "abc", self.merged(label, "abc", "--method", "model_stock", "--set", "vectors=rows"), stock, tolerance=32)


if __name__ == "__main__":
    unittest.main(verbosity=2)
