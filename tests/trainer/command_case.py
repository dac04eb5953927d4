"""What the tests of dstore-train share: a tiny model and its data, a training, and what it leaves behind. The first argument is the program."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from safetensors.torch import load_file, save_file

from tiny_folder import make_models, make_tables, read, write

TRAIN = sys.argv.pop(1)


def bits(tensor):
    return tensor.view(torch.int16 if tensor.dtype == torch.bfloat16 else torch.int32)


class CommandCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        root = cls.root = cls.scratch.name
        cls.base, cls.narrow = make_models(root)
        cls.tables = make_tables(root)

    def train(self, *arguments, base=None, status=0, data=None):
        out = tempfile.mkdtemp(dir=self.root)
        command = [TRAIN, "train", "--repository", self.root, "--out", out, base or self.base, "--data", data or self.tables["train"],
                   "--threads", "2", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        self.last = done
        return out

    def stage(self, out):
        return json.loads(read(out, "stage.json"))

    def changed(self, out, base=None):
        """Names of changed tensors and the number of changed entries of the base's."""
        before = load_file(os.path.join(base or self.base, "model.safetensors"))
        after = load_file(os.path.join(out, "tensors.safetensors"))
        count = 0
        for name, tensor in after.items():
            if name in before:
                self.assertEqual(tensor.dtype, before[name].dtype)
                count += int((bits(tensor) != bits(before[name])).sum())
        return set(after), count

    def materialise(self, out, base=None):
        """What a checkout gives: the base under the task's names, its tensors replaced, its files added."""
        folder = tempfile.mkdtemp(dir=self.root)
        stage = self.stage(out)
        tensors = load_file(os.path.join(base or self.base, "model.safetensors"))
        new = load_file(os.path.join(out, "tensors.safetensors"))
        names = set(tensors)
        tensors.update(new)
        tensors = {(stage["base_prefix"] + k if k in names else k): v for k, v in tensors.items()}
        save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
        for name in ("vocab.txt", "tokenizer_config.json"):
            write(os.path.join(folder, name), read(self.base, name))
        write(os.path.join(folder, "config.json"), read(out, "files", "config.json"))
        return folder

    def evaluate(self, folder, data, status=0):
        done = subprocess.run([TRAIN, "eval", "--repository", self.root, folder, "--data", data, "--threads", "2", "--json"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        self.last = done
        return json.loads(done.stdout)["metrics"] if status == 0 else None
