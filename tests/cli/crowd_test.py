"""Many writers, readers and collections at once: no acknowledged commit is lost, and no reader sees an error.

A few of each by default; DSTORE_CROWD=32x100 is the long run: 32 writer processes at a time, 100 commits each.
"""
import collections
import os
import threading
import time
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, Case

WRITERS, COMMITS = map(int, os.environ.get("DSTORE_CROWD", "6x4").split("x"))
BRANCHES = 4
READERS = 2


class CrowdTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.acknowledged = []  # (branch, message)
        self.errors = []
        self.runs = collections.Counter()
        self.lock = threading.Lock()
        self.done = threading.Event()

    def run_counted(self, allowed, *words):
        result = self.run_in(*words)
        with self.lock:
            self.runs[f"{words[0]} {'ok' if result.code == DONE else 'again'}"] += 1
            if result.code not in allowed:
                self.errors.append(str(result))
        return result

    def write(self, number):
        for turn in range(COMMITS):
            message = f"w{number}c{turn}"
            branch = f"b{(number + turn) % BRANCHES}"
            folder = self.root / f"writer{number}"
            tensors = st.read(self.task / "model.safetensors")
            bias = tensors["layer.0.bias"]
            data = number.to_bytes(4, "little") + turn.to_bytes(4, "little") + bias.data[8:]
            tensors["layer.0.bias"] = st.Tensor(bias.dtype, bias.shape, data)
            st.write(folder / "model.safetensors", tensors)
            (folder / "config.json").write_text(f'{{"n": "{message}"}}')
            while not self.errors:
                if self.run_counted((DONE, CONFLICT), "commit", folder, "--base", "base", "--name", branch, "-m", message).code == DONE:
                    with self.lock:
                        self.acknowledged.append((branch, message))
                    break
            if turn % 3 == 0:  # garbage for the collections
                self.run_counted((DONE,), "branch", message, branch)
                self.run_counted((DONE,), "branch", "-d", message)

    def read(self, number):
        while not self.done.is_set():
            self.run_counted((DONE,), "log", f"b{number % BRANCHES}", "-n", "20", "--json")
            self.run_counted((DONE,), "checkout", f"b{number % BRANCHES}", "-o", self.root / f"out{number}", "--force")
            self.run_counted((DONE,), "show", "base+task" if number > READERS else "task")

    def collect(self, *words):
        while not self.done.is_set():
            self.run_counted((DONE, CONFLICT), *words)
            time.sleep(0.01)

    def test_a_crowd_loses_nothing(self):
        for branch in range(BRANCHES):
            self.ok("branch", f"b{branch}", "task")
        writers = [threading.Thread(target=self.write, args=[number]) for number in range(WRITERS)]
        others = [threading.Thread(target=self.read, args=[number]) for number in range(READERS)]
        others.append(threading.Thread(target=self.collect, args=["gc", "--wait", "2"]))
        others.append(threading.Thread(target=self.collect, args=["repack", "--wait", "2"]))
        for thread in writers + others:
            thread.start()
        for thread in writers:
            thread.join()
        self.done.set()
        for thread in others:
            thread.join()
        print(dict(self.runs), flush=True)
        self.assertEqual(self.errors[:3], [])
        self.assertEqual(len(self.acknowledged), WRITERS * COMMITS)
        self.assert_verifies()
        self.ok("gc")
        self.ok("repack")
        self.assert_verifies()
        found = collections.Counter()
        for branch in range(BRANCHES):
            rows = self.ok("log", f"b{branch}", "--json", "-n", str(10 * WRITERS * COMMITS)).json
            for row, older in zip(rows, rows[1:]):
                self.assertEqual(row["parents"], [older["id"]])
            found.update((f"b{branch}", row["message"]) for row in rows)
        for entry in self.acknowledged:
            self.assertEqual(found[entry], 1, entry)
        self.assertEqual(self.ok("du", "--json").json["garbage"], 0)
        self.assertGreater(self.runs["gc ok"], 0)
        self.assertGreater(self.runs["repack ok"], 0)


if __name__ == "__main__":
    unittest.main()
