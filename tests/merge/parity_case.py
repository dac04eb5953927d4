"""A base and three tasks in a store, and how a merge of them is compared with another implementation of it."""
import pathlib
import shutil
import sys

import torch
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


class ParityCase(Case):
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
        """`oracle(base, tensors)` for each tensor, or what is wanted by name; `left_out(base, tensors)`, or by name: elements that are not compared. `tolerance`: in steps of the dtype."""
        base, chosen = models[0], [models[1 + "abc".index(name)] for name in names]
        compared = skipped = 0
        for name, tensor in base.items():
            tensors = [model[name] for model in chosen]
            changed = torch.stack([other != tensor for other in tensors]).any(dim=0)
            self.assertTrue(torch.equal(result[name][~changed], tensor[~changed]), name)
            if not changed.any():
                continue
            skip = left_out[name] if isinstance(left_out, dict) else left_out(tensor, tensors) if left_out else torch.zeros_like(changed)
            check = changed & ~skip
            skipped += int((changed & ~check).sum())
            wanted = oracle[name] if isinstance(oracle, dict) else oracle(tensor, tensors)
            want, have = wanted.to(tensor.dtype)[check], result[name][check]
            compared += want.numel()
            if tolerance == 0:
                same = want == have
                self.assertTrue(bool(same.all()), f"{name}: {int((~same).sum())} of {want.numel()} elements differ, first {want[~same][:3]} {have[~same][:3]}")
            else:
                step = torch.finfo(want.dtype).eps * want.double().abs().clamp(min=0.01) * tolerance
                self.assertTrue(bool(((want.double() - have.double()).abs() <= step).all()), f"{name}: {(want.double() - have.double()).abs().max()}")
        print(f"  compared {compared}, left out {skipped}")
        self.assertGreater(compared, 9 * skipped)

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

    @staticmethod
    def on_vectors(oracle):
        """mergekit's kernels that reduce over the last axis do not take scalars."""
        def flat(base, tensors):
            return oracle(base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]).reshape(base.shape)
        return flat
