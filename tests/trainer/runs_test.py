"""`dstore train` as a user types it: --resume, --seeds, --reproduce, --tensorboard, and what collections leave alone.

Usage: runs_test.py DSTORE
"""
import importlib.util
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import unittest

from tiny_folder import make_models, make_tables, read, write

DSTORE = sys.argv.pop(1)
TIMEOUT = 300


class RunsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.root = cls.scratch.name
        base, _ = make_models(cls.root)
        make_tables(cls.root)
        cls.dstore("init")
        cls.dstore("import", base, "--name", "base", "-m", "base")
        cls.base = json.loads(cls.dstore("show", "base", "--json").stdout)["id"]

    @classmethod
    def run_dstore(cls, *words, cwd=None):
        env = {**os.environ, "DSTORE_CONFIG_HOME": os.path.join(cls.root, "user"), "DSTORE_AUTHOR": "Ada <ada@example.org>", "HOME": cls.root}
        return subprocess.run([DSTORE, *words], cwd=cwd or cls.root, env=env, capture_output=True, text=True, timeout=TIMEOUT)

    @classmethod
    def dstore(cls, *words, status=0, **options):
        done = cls.run_dstore(*words, **options)
        if done.returncode != status:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def train(self, *words, name="topic", status=0, files=("--data", "train.tsv", "--dev", "dev.tsv", "--test", "test.tsv"), **options):
        return self.dstore("train", "base", "--method", "bitfit", "--name", name, "--threads", "2", *files, *words, status=status, **options)

    def refused(self, says, *words, status=2):
        done = self.dstore(*words, status=status)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def path(self, *names):
        return os.path.join(self.root, ".dstore", *names)

    def unfinished(self):
        return json.loads(self.dstore("status", "--json").stdout)["unfinished"]

    def test_a_run_that_broke_off_is_listed_kept_and_resumed(self):
        self.dstore("import", os.path.join(self.root, "narrow"), "--name", "lonely", "-m", "only a run needs it")
        words = ("train", "lonely", "--method", "full", "--data", "train.tsv", "--name", "en/verb", "--steps", "20", "--save-every", "5", "--threads", "2")
        self.dstore(*words)
        whole = read(self.path("staged", "en%2fverb", "tensors.safetensors"), mode="rb")
        self.assertEqual(self.unfinished(), [])
        self.assertFalse(os.path.exists(self.path("runs", "en%2fverb")))
        broken = self.run_dstore(*words, "--lr", "1e30", "--clip", "0", "--warmup", "0")
        self.assertEqual(broken.returncode, 2, broken.stderr)
        self.assertEqual(self.unfinished(), [{"name": "en/verb", "step": 0}])
        self.dstore(*words, "--restart", "--test", "missing.tsv", status=3)
        self.assertEqual([row["name"] for row in self.unfinished()], ["en/verb"])  # still: --restart forgets only when it can begin
        self.dstore("branch", "-d", "lonely")
        self.dstore("gc")
        self.assertIn("unfinished: en/verb", self.dstore("status").stdout)
        self.refused("started on commit", "train", "base", "--resume", "en/verb")
        self.refused("its name is", "train", "--resume", "en/verb", "--name", "other")
        self.refused("no run", "train", "--resume", "nothing", status=3)
        self.dstore("train", "--resume", "en/verb", "--lr", "1e-4")
        self.assertEqual(self.unfinished(), [])
        self.assertNotEqual(read(self.path("staged", "en%2fverb", "tensors.safetensors"), mode="rb"), whole)
        self.dstore("commit", "en/verb", "-m", "resumed")
        self.dstore("fsck")

    def test_a_recorded_training_is_reproduced_bit_for_bit(self):
        self.train("--steps", "12", "--patience", "3", "--eval-every", "2", "-m", "recorded", name="again")
        done = self.dstore("train", "--reproduce", "again")
        self.assertIn("reproduced: all", done.stdout)
        result = json.loads(self.run_dstore("train", "--reproduce", "again", "--json", "--threads", "1").stdout)  # sums may be in another order
        self.assertIn({"what": "threads", "recorded": "2", "now": "1"}, result["differences"])
        other = json.loads(self.dstore("train", "--reproduce", "again", "--json", "--lr", "1e-2", status=1).stdout)
        self.assertFalse(other["identical"])
        self.assertGreater(other["different"], 0)
        os.makedirs(os.path.join(self.root, "moved"), exist_ok=True)
        os.rename(os.path.join(self.root, "train.tsv"), os.path.join(self.root, "moved", "train.tsv"))
        try:
            self.refused("train.tsv", "train", "--reproduce", "again", status=3)
            self.dstore("train", "--reproduce", "again", "--data", "moved/train.tsv")
            self.refused("other data than recorded: recorded train=", "train", "--reproduce", "again", "--data", "test.tsv")
        finally:
            os.rename(os.path.join(self.root, "moved", "train.tsv"), os.path.join(self.root, "train.tsv"))
        self.refused("no record", "train", "--reproduce", "base")
        self.refused("goes with no --name", "train", "--reproduce", "again", "--name", "x")
        self.refused("leave base out", "train", "base", "--reproduce", "again")
        self.assertEqual(os.listdir(self.path("tmp")), [])
        self.train("--steps", "4", "-m", "onward", name="onward")
        self.dstore("train", "onward", "--method", "full", "--data", "train.tsv", "--steps", "3", "--name", "further", "-m", "from a task", "--threads", "2")
        self.assertIn("reproduced", self.dstore("train", "--reproduce", "further").stdout)

    def test_several_seeds_are_tasks_with_a_mean(self):
        result = json.loads(self.train("--steps", "6", "--seeds", "1,2,7", "--json", name="many").stdout)
        self.assertEqual(result["tasks"], ["many-1", "many-2", "many-7"])
        values = {}
        for task in result["tasks"]:
            stage = json.loads(read(self.path("staged", task, "stage.json")))
            self.assertEqual(stage["training"]["seed"], task[5:])
            for row in stage["metrics"]:
                values.setdefault((row["split"], row["metric"]), []).append(float(row["value"]))
        for row in result["metrics"]:
            expected = values[row["split"], row["name"]]
            self.assertEqual(row["values"], expected)
            self.assertAlmostEqual(row["mean"], statistics.mean(expected), 12)
            self.assertAlmostEqual(row["std"], statistics.stdev(expected), 12)
        self.assertIn("over 2 seeds", self.train("--steps", "2", "--seeds", "3,4", "-m", "seeds", name="two").stdout)
        self.dstore("show", "two-3")
        for bad in ("1", "1,1", "1,,2", "a,b", "1,2,", "-1,2"):
            self.refused("--seeds", "train", "base", "--method", "full", "--data", "train.tsv", "--name", "x", f"--seeds={bad}")

    def test_tensorboard_reads_the_numbers_of_the_log(self):
        folder = os.path.join(self.root, "board")
        self.train("--steps", "60", "--eval-every", "20", "--tensorboard", folder, "--log", "board.jsonl", name="board")
        expected = {}
        for line in read(self.root, "board.jsonl").splitlines():
            record = json.loads(line)
            for name, value in record.items():
                if isinstance(value, float) or name in ("loss", "lr"):
                    expected[("dev/" if record["event"] == "dev" else "train/") + name, record["step"]] = struct.unpack("f", struct.pack("f", value))[0]
        self.assertIn(("train/loss", 60), expected)
        self.assertIn(("dev/accuracy", 40), expected)
        if importlib.util.find_spec("tensorboard") is None:
            self.skipTest("tensorboard is not installed")
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
        from tensorboard.compat.proto import event_pb2
        (name,) = os.listdir(folder)
        seen = {}
        events = [event_pb2.Event.FromString(data) for data in RawEventFileLoader(os.path.join(folder, name)).Load()]  # checks lengths and CRCs
        self.assertEqual(events[0].file_version, "brain.Event:2")
        for event in events:
            for value in event.summary.value:
                seen[value.tag, event.step] = value.simple_value
        self.assertEqual(seen, expected)


if __name__ == "__main__":
    unittest.main()
