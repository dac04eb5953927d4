"""A repository in a sandbox, and spec/decode.py beside the program."""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DECODE = HERE.parents[1] / "spec" / "decode.py"
sys.path[:0] = [str(HERE.parent / "cli"), str(DECODE.parent)]

import safetensors_file as st  # noqa: E402
import sandbox  # noqa: E402


class Case(sandbox.Case):
    def setUp(self):
        super().setUp()
        self.run_plain("init", self.repo)

    def decode(self, *words, repository=None):
        return subprocess.run([sys.executable, DECODE, repository or self.repo, *words], capture_output=True, text=True, timeout=600)

    def decode_well(self, *words, repository=None):
        done = self.decode(*words, repository=repository)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def model(self, folder, tensors, metadata=None, **files):
        """A folder with one safetensors file, or (a list) with shards; and config.json."""
        folder = self.root / folder
        if isinstance(tensors, list):
            st.write_sharded(folder, tensors)
        else:
            st.write(folder / "model.safetensors", tensors, metadata)
        (folder / "config.json").write_text('{"model_type": "bert", "of": "%s"}\n' % folder.name)
        for name, content in files.items():
            (folder / name).write_text(content)
        return folder

    def import_base(self, folder, name="base"):
        self.ok("import", folder, "--name", name, "-m", "a base")
        self.assert_same(name, folder)

    def commit_task(self, folder, name="task", base="base", *options):
        self.ok("commit", folder, "--base", base, "--name", name, "-m", "a task", *options)
        self.assert_same(name, folder)
        self.assert_same(f"{base}+{name}")

    def assert_same(self, revision, original=None):
        """dstore and decode.py make the same files of a revision: those of `original`, if it is given."""
        ours, theirs = self.root / "out-decode", self.root / "out-dstore"
        for folder in (ours, theirs):
            shutil.rmtree(folder, ignore_errors=True)
        self.ok("checkout", revision, "-o", theirs)
        self.decode_well(revision, "-o", ours)
        self.assert_model(ours, theirs)
        if original:
            self.assert_model(ours, original)
