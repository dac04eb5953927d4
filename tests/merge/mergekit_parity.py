"""`dstore merge` beside mergekit 0.1.5 and peft's rules: the same models through the program and through mergekit's own kernels.

    PYTHON mergekit_parity.py      (DSTORE_BIN; PYTHON has torch, safetensors and mergekit)

An element that no model changes keeps the base's bits in dstore, so only the others are compared. Where a threshold has ties (equal
magnitudes at the border of a trim), which of them are kept is the sort's business: such elements are left out and counted.
"""
import pathlib
import shutil
import sys
import unittest

import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import TensorBatch, TensorGroup
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from sandbox import Case  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "f64": torch.float64}
SHAPES = {"dense": [96, 200], "vector": [777], "sparse": [300, 100], "one": [1], "scalar": []}


def make_models(dtype):
    """A base and three tasks: two that change every weight, and one that changes one in twenty; one tensor nobody changes."""
    random = torch.Generator().manual_seed(5)
    base = {name: 0.05 * torch.randn(shape, generator=random, dtype=torch.float64) for name, shape in SHAPES.items()}
    base["untouched"] = torch.randn([8, 8], generator=random, dtype=torch.float64)
    tasks = []
    for number in range(3):
        task = {}
        for name, tensor in base.items():
            change = 0.003 * (number + 1) * torch.randn(tensor.shape, generator=random, dtype=torch.float64)
            if number == 2 or name == "sparse":
                change = change * (torch.rand(tensor.shape, generator=random) < 0.05)
            task[name] = tensor if name == "untouched" else tensor + change
        tasks.append(task)
    return [{name: tensor.to(dtype).contiguous() for name, tensor in model.items()} for model in (base, *tasks)]


class Weights(dict):
    """What mergekit passes to methods that take a weight for each model."""

    def values_for(self, entries):
        return [self[entry.id] for entry in entries]


class ParityTest(Case):
    def setUp(self):
        super().setUp()
        self.run_plain("init", self.repo)

    def store(self, label):
        models = make_models(DTYPES[label])
        for name, model in zip(("base", "a", "b", "c"), models):
            folder = self.root / f"{label}-{name}"
            folder.mkdir()
            save_file(model, folder / "model.safetensors", {"format": "pt"})
            (folder / "config.json").write_text("{}\n")
            if name == "base":
                self.ok("import", folder, "--name", f"{label}-base")
            else:
                self.ok("commit", folder, "--base", f"{label}-base", "--name", f"{label}-{name}", "-m", name)
        return models

    def merged(self, label, names, *options):
        branch = f"m{len(list(self.root.iterdir()))}"
        self.ok("merge", *[f"{label}-{name}" for name in names], "--name", branch, *options)
        out = self.checkout(branch, branch)
        result = load_file(out / "model.safetensors")
        shutil.rmtree(out)
        (self.root / f".{branch}").mkdir()  # the next branch gets another number
        return result

    def compare(self, models, names, result, oracle, tolerance=0.0, left_out=None):
        """`oracle(base, tensors)` for each tensor; `left_out(base, tensors)`: elements that are not compared. `tolerance`: in steps of the dtype."""
        base, chosen = models[0], [models[1 + "abc".index(name)] for name in names]
        compared = skipped = 0
        for name, tensor in base.items():
            tensors = [model[name] for model in chosen]
            changed = torch.stack([other != tensor for other in tensors]).any(dim=0)
            self.assertTrue(torch.equal(result[name][~changed], tensor[~changed]), name)
            if not changed.any():
                continue
            check = changed if left_out is None else changed & ~left_out(tensor, tensors)
            skipped += int((changed & ~check).sum())
            want, have = oracle(tensor, tensors).to(tensor.dtype)[check], result[name][check]
            compared += want.numel()
            if tolerance == 0:
                same = want == have
                self.assertTrue(bool(same.all()), f"{name}: {int((~same).sum())} of {want.numel()} elements differ, first {want[~same][:3]} {have[~same][:3]}")
            else:
                step = torch.finfo(want.dtype).eps * want.double().abs().clamp(min=0.01) * tolerance
                self.assertTrue(bool(((want.double() - have.double()).abs() <= step).all()), f"{name}: {(want.double() - have.double()).abs().max()}")
        print(f"  compared {compared}, left out {skipped}")
        self.assertGreater(compared, 9 * skipped)

    def group(self, base, tensors):
        return TensorGroup.from_tensors([base, *tensors], ids=["base", *range(len(tensors))], base_index=0)

    def task_vectors(self, method, weights, densities=(1, 1, 1), normalize=False, factor=1.0, **more):
        def oracle(base, tensors):
            count = len(tensors)
            return registry.get(method).merge_group(
                self.group(base, tensors), weight=dict(enumerate(weights[:count])), density=dict(enumerate(densities[:count])), normalize=normalize,
                rescale=False, int8_mask=False, **{"lambda": factor}, **more)
        return oracle

    @staticmethod
    def at_thresholds(densities, gamma=None):
        """Elements of a tensor at which some model's difference has the magnitude at the border of what is kept, and is not the only one."""
        def left_out(base, tensors):
            out = torch.zeros(base.shape, dtype=torch.bool)
            for tensor, density in zip(tensors, densities):
                size = (tensor - base).abs().float().reshape(-1)
                keep, count = max(1, int(density * size.numel())), size.numel()
                skip = 0 if gamma is None else min(int(gamma * count), count - int(density * count))
                order = size.sort(descending=True).values
                for border in (skip, skip + (keep if gamma is None else int(density * count))):
                    if 0 < border < count and order[border - 1] == order[border] != 0:
                        out |= ((tensor - base).abs().float() == order[border])
            return out
        return left_out

    def test_linear(self):
        for label in DTYPES:
            models = self.store(label)
            for normalize in (True, False):
                print(f"linear {label}")

                def oracle(base, tensors, normalize=normalize):
                    batch = TensorBatch(tensors=tuple(tensor.unsqueeze(0) for tensor in tensors))
                    weights = torch.tensor([[0.5, 0.3, 0.4]], dtype=torch.float64)
                    return registry.get("linear").implementation(batch, weight=weights, normalize=normalize)[0]
                result = self.merged(label, "abc", "--method", "linear", "--weights", "0.5,0.3,0.4", "--set", f"normalize={str(normalize).lower()}")
                self.compare(models, "abc", result, oracle)

    def test_task_arithmetic(self):
        for label in DTYPES:
            models = self.store(label)
            print(f"task arithmetic {label}")
            result = self.merged(label, "abc", "--method", "task_arithmetic", "--weights", "0.5,0.3,-0.2")
            self.compare(models, "abc", result, self.task_vectors("task_arithmetic", (0.5, 0.3, -0.2)))
            result = self.merged(label, "abc", "--method", "task_arithmetic", "--weights", "0.5,0.3,0.4", "--set", "normalize=true", "--set", "lambda=0.7")
            self.compare(models, "abc", result, self.task_vectors("task_arithmetic", (0.5, 0.3, 0.4), normalize=True, factor=0.7))

    def test_ties(self):
        for label in DTYPES:
            models = self.store(label)
            densities = (0.5, 0.7, 0.3)
            for weights in ((0.5, 0.3, 0.4), (1, 1, 1)):
                print(f"ties {label}")
                result = self.merged(label, "abc", "--method", "ties", "--weights", ",".join(map(str, weights)), "--density", "50%,0.7,0.3")
                self.compare(models, "abc", result, self.task_vectors("ties", weights, densities, normalize=True), left_out=self.at_thresholds(densities))

    def test_breadcrumbs(self):
        for label in ("f32", "bf16"):
            models = self.store(label)
            for method in ("breadcrumbs", "breadcrumbs_ties"):
                print(f"{method} {label}")
                result = self.merged(label, "ab", "--method", method, "--weights", "0.5,0.3", "--density", "0.6,0.8", "--set", "gamma=0.05")
                self.compare(models, "ab", result, self.task_vectors(method, (0.5, 0.3), (0.6, 0.8), gamma={0: 0.05, 1: 0.05}),
                             left_out=self.at_thresholds((0.6, 0.8), gamma=0.05))

    def test_spheres(self):
        """Sums over a tensor in another order: equal within a few steps of the last bit."""
        for label in ("f32", "f64"):
            models = self.store(label)
            print(f"slerp {label}")

            def slerp(base, tensors):
                batch = TensorBatch(tensors=tuple(tensor.unsqueeze(0) for tensor in tensors), base_index=0)
                return registry.get("slerp").implementation(batch, t=torch.tensor([0.3], dtype=torch.float64))[0].reshape(base.shape)
            self.compare(models, "ab", self.merged(label, "ab", "--method", "slerp", "--set", "t=0.3"), slerp, tolerance=8)
            print(f"nuslerp {label}")
            for of in ("differences", "weights"):
                def nuslerp(base, tensors, of=of):
                    group = self.group(base, tensors) if of == "differences" else TensorGroup.from_tensors(tensors, ids=[0, 1])
                    return registry.get("nuslerp").merge_group(group, weight=Weights({0: 0.6, 1: 0.2}), nuslerp_row_wise=False, nuslerp_flatten=True)
                result = self.merged(label, "ab", "--method", "nuslerp", "--weights", "0.6,0.2", "--set", f"of={of}")
                self.compare(models, "ab", {name: tensor for name, tensor in result.items()}, self.on_vectors(nuslerp), tolerance=16)
            print(f"model_stock {label}")
            result = self.merged(label, "abc", "--method", "model_stock")
            self.compare(models, "abc", result, self.on_vectors(lambda base, tensors: registry.get("model_stock").merge_group(self.group(base, tensors), filter_wise=False)), tolerance=16)

    @staticmethod
    def on_vectors(oracle):
        """mergekit's kernels that reduce over the last axis do not take scalars."""
        def flat(base, tensors):
            return oracle(base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]).reshape(base.shape)
        return flat

    def test_overlaps(self):
        for label in ("f32", "f64", "bf16"):
            models = self.store(label)
            steps = 2 if label == "bf16" else 4  # bf16: mergekit divides in another order
            print(f"ram {label}")
            result = self.merged(label, "abc", "--method", "ram")
            self.compare(models, "abc", result, self.on_vectors(lambda base, tensors: registry.get("ram").merge_group(self.group(base, tensors), epsilon=1e-5)), tolerance=steps)
            if label != "f64":  # mergekit's factor is an fp32 number, dstore's is not
                result = self.merged(label, "abc", "--method", "ramplus_tl", "--set", "r=0.3")
                self.compare(models, "abc", result, self.on_vectors(
                    lambda base, tensors: registry.get("ramplus_tl").merge_group(self.group(base, tensors), r=0.3, alpha=0.2, epsilon=1e-5)), tolerance=steps)
            print(f"nearswap {label}")
            result = self.merged(label, "ab", "--method", "nearswap", "--set", "t=0.001")

            def nearswap(base, tensors):
                return registry.get("nearswap").merge_group(TensorGroup.from_tensors(tensors, ids=[0, 1], base_index=0), t=0.001)
            self.compare(models, "ab", result, nearswap, tolerance=steps)

    def test_random_methods_keep_their_share_and_scale(self):
        models = self.store("f32")
        for method in ("dare_linear", "dare_ties"):
            first = self.merged("f32", "a", "--method", method, "--density", "0.3", "--seed", "7")
            again = self.merged("f32", "a", "--method", method, "--density", "0.3", "--seed", "7")
            other = self.merged("f32", "a", "--method", method, "--density", "0.3", "--seed", "8")
            kept = total = 0
            for name in ("dense", "vector"):
                base, task = models[0][name], models[1][name]
                change, want = first[name] - base, task - base
                self.assertTrue(torch.equal(first[name], again[name]))
                self.assertFalse(torch.equal(first[name], other[name]))
                mask = change != 0
                self.assertTrue(torch.allclose(change[mask], (want / torch.tensor(0.3))[mask], atol=1e-6))
                kept, total = kept + int(mask.sum()), total + int((want != 0).sum())
            deviation = abs(kept - 0.3 * total) / (total * 0.3 * 0.7) ** 0.5
            print(f"{method}: kept {kept} of {total}, {deviation:.2f} standard deviations from 30 %")
            self.assertLess(deviation, 5)
        rescaled = self.merged("f32", "a", "--method", "dare_linear", "--density", "0.3", "--set", "rescale=l1")["dense"] - models[0]["dense"]
        before = (models[1]["dense"] - models[0]["dense"]).abs().sum()
        self.assertAlmostEqual(float(rescaled.abs().sum() / before), 1, places=4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
