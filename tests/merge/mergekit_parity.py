"""`dstore merge` beside mergekit 0.1.5 and peft's rules: the same models through the program and through mergekit's own kernels.

    PYTHON mergekit_parity.py      (DSTORE_BIN; PYTHON has torch, safetensors and mergekit)

An element that no model changes keeps the base's bits in dstore, so only the others are compared. Where a threshold has ties (equal
magnitudes at the border of a trim), which of them are kept is the sort's business: such elements are left out and counted.
"""
import unittest

import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import TensorBatch, TensorGroup
from parity_case import DTYPES, ParityCase


class Weights(dict):
    """What mergekit passes to methods that take a weight for each model."""

    def values_for(self, entries):
        return [self[entry.id] for entry in entries]


class ParityTest(ParityCase):
    def group(self, base, tensors):
        return TensorGroup.from_tensors([base, *tensors], ids=["base", *range(len(tensors))], base_index=0)

    def task_vectors(self, method, weights, densities=(1, 1, 1), normalize=False, factor=1.0, **more):
        def oracle(base, tensors):
            count = len(tensors)
            return registry.get(method).merge_group(
                self.group(base, tensors), weight=dict(enumerate(weights[:count])), density=dict(enumerate(densities[:count])), normalize=normalize,
                rescale=False, int8_mask=False, **{"lambda": factor}, **more)
        return oracle

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
