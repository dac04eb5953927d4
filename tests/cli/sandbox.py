"""Where the tests of the program run: a scratch folder, a configuration of its own, and dstore as a user types it."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import safetensors_file as st

DSTORE = os.environ.get("DSTORE_BIN") or shutil.which("dstore") or "dstore"
TIMEOUT = 120
TRAINING = {"method": "diff-pruning", "density": "0.005", "seed": "1"}

# cli/exit_code.cc
DONE, FINDINGS, USAGE, NOT_FOUND, CORRUPT, UNTRUSTED, CONFLICT, UNSUPPORTED, IO, REMOTE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130


class Result:
    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"$ dstore {' '.join(self.words)}\nexit status {self.code}\n{self.out.decode(errors='replace')[:3000]}{self.err[:3000]}"


def snapshot(folder):
    """{relative path: bytes} of a folder's files, without what dstore keeps there for itself."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".dstore-")}


def everything(folder):
    """The same with all files: for "nothing was touched"."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Case(unittest.TestCase):
    """A scratch folder `self.root` with an own user (keys, trust); `self.repo` is where commands work unless -C is given."""

    def setUp(self):
        self.rng = random.Random(20)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="dstore-cli-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        self.user = self.root / "user"
        self.repo = self.root / "repo"

    def environment(self, **more):
        env = {key: value for key, value in os.environ.items() if not key.startswith("DSTORE_") and key != "SOURCE_DATE_EPOCH"}
        env.update(DSTORE_CONFIG_HOME=str(self.user), DSTORE_AUTHOR="Ada <ada@example.org>", HOME=str(self.root), LC_ALL="C.UTF-8")
        env.update(more)
        return env

    def command(self, words):
        return [DSTORE, "-C", str(self.repo), *map(str, words)]

    def run_plain(self, *words, env=None, **options):
        """Exactly these words, in the scratch folder."""
        words = [os.fsdecode(word) if isinstance(word, bytes) else str(word) for word in words]
        done = subprocess.run([DSTORE, *words], cwd=options.pop("cwd", self.root), env=env or self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT, **options)
        return Result(words, done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def run_in(self, *words, **options):
        return self.run_plain("-C", self.repo, *words, **options)

    def check_error(self, result, code=None, *words):
        """One line, "dstore: ...", with these words, and a status from the table."""
        self.assertNotIn(result.code, (DONE, FINDINGS), str(result))
        self.assertIn(result.code, range(2, 10), str(result))
        lines = result.err.splitlines()
        errors = [line for line in lines if not line.startswith("note: ")]
        self.assertEqual(len(errors), 1, f"not one line of error\n{result}")
        self.assertTrue(errors[0].startswith("dstore: ") and len(errors[0]) > 20, str(result))
        self.assertTrue(result.err.endswith("\n"), str(result))
        self.assertEqual(result.out, b"", str(result))
        if code is not None:
            self.assertEqual(result.code, code, str(result))
        for word in words:
            self.assertIn(word, errors[0], str(result))
        return result

    def ok(self, *words, **options):
        result = self.run_in(*words, **options)
        self.assertEqual(result.code, DONE, str(result))
        return result

    def fails(self, code, *words, says=(), **options):
        return self.check_error(self.run_in(*words, **options), code, *([says] if isinstance(says, str) else says))

    # Models.

    def tiny_base(self, folder="base", scale=1):
        """Eight tensors in four dtypes, with side files. Returns the folder."""
        folder = self.root / folder
        rng = self.rng
        st.write(folder / "model.safetensors", {
            "embeddings.weight": st.random_tensor(rng, "F32", [40 * scale, 16]),
            "layer.0.weight": st.random_tensor(rng, "F32", [16 * scale, 16]),
            "layer.0.bias": st.random_tensor(rng, "F32", [16]),
            "layer.1.weight": st.random_tensor(rng, "BF16", [16 * scale, 16]),
            "layer.1.bias": st.random_tensor(rng, "F16", [16]),
            "positions": st.random_tensor(rng, "I64", [1, 24]),
            "scale": st.random_tensor(rng, "F32", []),
            "empty": st.random_tensor(rng, "F32", [0, 4]),
        }, {"format": "pt"})
        (folder / "config.json").write_text('{\n  "model_type": "bert",\n  "hidden_size": 16\n}\n')
        (folder / "vocab.txt").write_text("[PAD]\nund\näöü\n")
        return folder

    def tiny_task(self, base, folder="task", count=3, head=True):
        """The base with some elements of some tensors changed, a head, and another config."""
        folder = self.root / folder
        tensors = st.read(pathlib.Path(base) / "model.safetensors")
        for name in ("embeddings.weight", "layer.0.weight", "layer.1.weight"):
            tensors[name] = st.changed(self.rng, tensors[name], count)
        if head:
            tensors["classifier.weight"] = st.random_tensor(self.rng, "F32", [3, 16])
        st.write(folder / "model.safetensors", tensors, {"format": "pt"})
        (folder / "config.json").write_text('{\n  "model_type": "bert",\n  "hidden_size": 16,\n  "id2label": {"0": "a"}\n}\n')
        (folder / "vocab.txt").write_bytes((pathlib.Path(base) / "vocab.txt").read_bytes())
        return folder

    def make_store(self, scale=1):
        """A repository with `base` and, from self.task, `task`."""
        self.base = self.tiny_base(scale=scale)
        self.task = self.tiny_task(self.base)
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "-m", "the base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "a task")

    def stage(self, name="topic", encoded=None, base="base", prefix="bert.", accuracy="0.75", training=TRAINING, **stage_facts):
        """A stage as dstore-train leaves it: the tensors that training touched under the base's names, new ones under theirs."""
        folder = self.repo / ".dstore" / "staged" / (encoded or name)
        (folder / "files").mkdir(parents=True)
        tensors = st.read(self.base / "model.safetensors")
        staged = {"layer.0.weight": st.changed(self.rng, tensors["layer.0.weight"], 2), "classifier.weight": st.random_tensor(self.rng, "F32", [4, 16])}
        st.write(folder / "tensors.safetensors", staged)
        commit = self.ok("show", base, "--json").json["id"]
        (folder / "base.json").write_text(json.dumps({"base": commit, "name": name, "v": 1}, separators=(",", ":")))
        metrics = [{"split": "test", "metric": "accuracy", "value": accuracy, "n": 5000, "data_sha256": "ab" * 32}]
        facts = {"version": 1, "base_prefix": prefix, "training": training, "metrics": metrics, **stage_facts}
        (folder / "stage.json").write_text(json.dumps(facts))
        (folder / "files" / "config.json").write_text('{"label2id": {"b": 0}}')
        result = {prefix + key: tensor for key, tensor in tensors.items()}
        result.update({prefix + "layer.0.weight": staged["layer.0.weight"], "classifier.weight": staged["classifier.weight"]})
        return folder, result

    def assert_model(self, folder, expected):
        """Byte for byte the same files."""
        want = snapshot(expected)
        have = snapshot(folder)
        self.assertEqual(sorted(have), sorted(want))
        for path, content in want.items():
            self.assertEqual(have[path], content, f"{folder}/{path} differs")

    def checkout(self, revision, folder, *options):
        folder = self.root / folder
        self.ok("checkout", revision, "-o", folder, *options)
        return folder

    def assert_verifies(self):
        result = self.run_in("verify")
        self.assertEqual(result.code, DONE, str(result))
