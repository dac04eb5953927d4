"""kill -9 and Ctrl-C at random moments of import, commit and checkout: old or new, never between, and nothing lost."""
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, DSTORE, INTERRUPTED, NOT_FOUND, TIMEOUT, Case, Result, snapshot

ROUNDS = 30
SHARING_ROUNDS = 10
KILLS = int(os.environ.get("DSTORE_KILLS", 80))
WRITERS = 4
ELEMENTS = 700_000  # of each of three tensors: 8.4 MB in all


class Stopped(Case):
    def setUp(self):
        super().setUp()
        self.run_plain("init", self.repo)
        self.base, self.task = self.root / "base", self.root / "task"
        self.model = {name: st.random_tensor(self.rng, "F32", [ELEMENTS]) for name in ("a", "b", "c")}
        st.write(self.base / "model.safetensors", self.model)
        (self.base / "config.json").write_text("{}")
        changed = {name: st.changed(self.rng, tensor, 5000) for name, tensor in self.model.items()}
        st.write(self.task / "model.safetensors", changed)
        (self.task / "config.json").write_text('{"task": 1}')

    def stop_at(self, seconds, number, *words, command=None):
        """Runs dstore and sends it the signal after so many seconds, unless it is done before."""
        child = subprocess.Popen(command or self.command(words), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(number)
            out, err = child.communicate(timeout=TIMEOUT)
        result = Result([str(word) for word in words], child.returncode, out, err.decode())
        if number == signal.SIGKILL:
            self.assertIn(result.code, (DONE, -signal.SIGKILL), str(result))
        elif result.code == INTERRUPTED:
            self.assertRegex(result.err, r"\Adstore: [^\n]+\n\Z", str(result))
        else:  # before main() has its handler, the signal ends the program at once
            self.assertIn(result.code, (DONE, -signal.SIGINT), str(result))
        return result

    def moments(self, *words):
        """Random moments of a run of this command, measured first."""
        start = time.monotonic()
        self.ok(*words)
        whole = time.monotonic() - start
        return [self.rng.uniform(0, 1.2) * whole for _ in range(ROUNDS)]


class WritingTest(Stopped):
    def head(self, branch):
        result = self.run_in("show", branch, "--json")
        self.assertIn(result.code, (DONE, NOT_FOUND), str(result))
        return result.json["id"] if result.code == DONE else None

    def left_behind(self):
        return sorted(str(path.relative_to(self.root)) for path in (self.repo / ".dstore" / "tmp").rglob("*"))

    def check_writing(self, number, folder, branch, *words):
        """Each round writes other bytes to the same branch."""
        moments = self.moments(*words)
        seen = set()
        for turn, moment in enumerate(moments):
            tensors = st.read(folder / "model.safetensors")
            tensors["b"] = st.changed(self.rng, tensors["b"], 50)
            st.write(folder / "model.safetensors", tensors)
            before = self.head(branch)
            result = self.stop_at(moment, number, *words)
            after = self.head(branch)
            seen.add(result.code)
            if result.code == DONE:
                self.assertNotEqual(after, before)
            elif result.code == INTERRUPTED:
                self.assertEqual(after, before, f"said to be interrupted, but the branch moved\n{result}")
                self.assertEqual(self.left_behind(), [])
            if after != before and turn % 3 == 0:
                self.assert_model(self.checkout(branch, f"out{turn}"), folder)
                shutil.rmtree(self.root / f"out{turn}")
            if turn % 10 == 9:
                self.assert_verifies()
        self.assertTrue(seen - {DONE}, "no run was stopped")
        self.ok(*words) if self.run_in(*words).code not in (DONE, 1) else None
        self.assert_verifies()
        self.assert_model(self.checkout(branch, "last"), folder)

    def test_import_killed(self):
        self.check_writing(signal.SIGKILL, self.base, "base", "import", self.base, "--name", "base")

    def test_import_interrupted(self):
        self.check_writing(signal.SIGINT, self.base, "base", "import", self.base, "--name", "base")

    def test_commit_killed(self):
        self.ok("import", self.base, "--name", "base")
        self.check_writing(signal.SIGKILL, self.task, "task", "commit", self.task, "--base", "base", "--name", "task", "-m", "x")

    def test_commit_interrupted(self):
        self.ok("import", self.base, "--name", "base")
        self.check_writing(signal.SIGINT, self.task, "task", "commit", self.task, "--base", "base", "--name", "task", "-m", "x")


class ResumeTest(Stopped):
    """More than one pack: what a killed import has published is not written again."""
    MEGABYTES = 24

    def test_an_import_that_was_killed_goes_on_where_it_was(self):
        model = {name: st.Tensor("F32", [self.MEGABYTES << 18], self.rng.randbytes(self.MEGABYTES << 20)) for name in "abcdefgh"}
        st.write(self.base / "model.safetensors", model)
        packs = self.repo / ".dstore" / "packs"
        words = ("import", self.base, "--name", "base")
        child = subprocess.Popen(self.command(words), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and not any(packs.iterdir()):
            time.sleep(0.001)
        child.kill()
        self.assertEqual(child.wait(), -signal.SIGKILL, "it was done before it could be killed")
        before = {path.name: path.stat().st_size for path in packs.iterdir()}
        self.assertGreater(sum(before.values()), 32 << 20)
        result = self.ok(*words, "--json").json
        whole = len(model) * self.MEGABYTES << 20
        self.assertGreater(result["found_bytes"], 0.9 * sum(before.values()))
        self.assertLess(result["stored_bytes"] + result["found_bytes"], 1.01 * whole)
        self.assertLessEqual(set(before), {path.name for path in packs.iterdir()})
        self.assertLess(sum(path.stat().st_size for path in packs.iterdir()), 1.01 * whole)
        self.assertIn("were there already", self.ok("import", self.base, "--name", "again").text)
        self.assert_model(self.checkout("base", "out"), self.base)


class CheckoutTest(Stopped):
    def check_checkout(self, number):
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")
        out = self.root / "folder" / "out"
        out.parent.mkdir()
        moments = self.moments("checkout", "task", "-o", out)
        shutil.rmtree(out)
        for moment in moments:
            result = self.stop_at(moment, number, "checkout", "task", "-o", out)
            if out.exists():
                self.assert_model(out, self.task)
                self.assertTrue((out / ".dstore-checkout").exists())
                shutil.rmtree(out)
            else:
                self.assertNotEqual(result.code, DONE)
            if number == signal.SIGINT and result.code != -signal.SIGINT:
                self.assertEqual(list(out.parent.iterdir()), [])
        self.ok("checkout", "task", "-o", out)
        self.assert_model(out, self.task)

    def check_in_place(self, number):
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")
        want = {revision: snapshot(self.checkout(revision, "want-" + revision)) for revision in ("base", "task")}
        out = self.checkout("base", "out")
        moments = self.moments("checkout", "task", "-o", out)
        now = "task"
        for moment in moments:
            to = "base" if now == "task" else "task"
            result = self.stop_at(moment, number, "checkout", to, "-o", out)
            status = self.ok("status", out, "--json").json  # finishes what was begun
            self.assertEqual(status["changes"], [])
            self.assertEqual(snapshot(out), want[status["revision"]])
            if result.code == DONE:
                self.assertEqual(status["revision"], to)
            elif result.code == INTERRUPTED:
                self.assertEqual(status["revision"], now, f"said that nothing was changed\n{result}")
            now = status["revision"]
        self.ok("checkout", "base", "-o", out)
        self.assertEqual(snapshot(out), want["base"])
        self.assertEqual([path.name for path in out.iterdir() if path.name.startswith(".dstore-")], [".dstore-checkout"])

    def test_checkout_killed(self):
        self.check_checkout(signal.SIGKILL)

    def test_checkout_interrupted(self):
        self.check_checkout(signal.SIGINT)

    def test_checkout_in_place_killed(self):
        self.check_in_place(signal.SIGKILL)

    def test_checkout_in_place_interrupted(self):
        self.check_in_place(signal.SIGINT)


class SharingTest(Stopped):
    """The same of push, fetch and clone: objects first, the ref last, on both sides."""

    def setUp(self):
        super().setUp()
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")
        self.remote = self.root / "remote"
        self.ok("remote", "add", "origin", self.remote)

    def change_task(self):
        tensors = st.read(self.task / "model.safetensors")
        tensors["b"] = st.changed(self.rng, tensors["b"], 50_000)
        st.write(self.task / "model.safetensors", tensors)
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "x")

    def ok_there(self, repository, *words):
        result = self.run_plain("-C", repository, *words)
        self.assertEqual(result.code, DONE, str(result))

    def clone(self):
        clone = self.root / "clone"
        self.ok("clone", self.remote, clone)
        self.ok_there(clone, "checkout", "task", "-o", self.root / "out")
        self.assert_model(self.root / "out", self.task)
        self.ok_there(clone, "verify")
        shutil.rmtree(self.root / "out")
        return clone

    def test_push_killed(self):
        for turn, moment in enumerate(self.moments("push")[:SHARING_ROUNDS]):
            if turn % 3 == 0:  # everything anew
                shutil.rmtree(self.remote)
                shutil.rmtree(self.repo / ".dstore" / "remotes")
            self.change_task()
            self.stop_at(moment, signal.SIGKILL if turn % 2 else signal.SIGINT, "push")
        self.ok("push")
        self.clone()

    def test_pull_killed(self):
        self.ok("push")
        clone = self.clone()
        for turn in range(SHARING_ROUNDS):
            self.change_task()
            self.ok("push")
            self.stop_at(self.rng.uniform(0, 0.1), signal.SIGKILL if turn % 2 else signal.SIGINT, "pull", command=[DSTORE, "-C", str(clone), "pull"])
            if turn % 3 == 0:
                self.ok_there(clone, "verify")
        self.ok_there(clone, "pull")
        self.ok_there(clone, "checkout", "task", "-o", self.root / "out")
        self.assert_model(self.root / "out", self.task)
        self.ok_there(clone, "verify")

    def test_clone_interrupted_leaves_nothing(self):
        self.ok("push")
        whole = time.monotonic()
        clone = self.clone()
        whole = time.monotonic() - whole
        for _ in range(SHARING_ROUNDS):
            shutil.rmtree(clone, ignore_errors=True)
            result = self.stop_at(self.rng.uniform(0, whole), signal.SIGINT, "clone", self.remote, clone)
            if result.code == INTERRUPTED:
                self.assertFalse(clone.exists(), str(result))


class LedgerTest(Case):
    """Several writers and readers at once, any of them killed at any moment, against a ledger kept outside of what was acknowledged."""

    # Commands that run over and over beside the writers. Each must work, or be killed.
    BESIDE = (["log", "--all", "--json"], ["verify"], ["checkout", "base+task", "-o", "{fresh}"], ["branch", "--json"],
              ["gc", "--wait", "0"], ["repack", "--wait", "0"])

    def setUp(self):
        super().setUp()
        self.make_store()
        self.lock = threading.Lock()
        self.children, self.ledger, self.problems = [], [], []
        self.finished = threading.Event()
        self.killed = 0

    def run_one(self, words):
        child = subprocess.Popen(self.command(words), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        with self.lock:
            self.children.append(child)
        out, err = child.communicate(timeout=TIMEOUT)
        with self.lock:
            self.children.remove(child)
        return Result([str(word) for word in words], child.returncode, out, err.decode())

    def write(self, number):
        rng = random.Random(number)
        base = st.read(self.base / "model.safetensors")
        folder = self.root / f"writer{number}"
        shutil.copytree(self.task, folder)
        turn = 0
        while not self.finished.is_set():
            turn += 1
            st.write(folder / "model.safetensors", {**base, "layer.0.weight": st.changed(rng, base["layer.0.weight"], 1 + turn % 9)})
            branch = "task" if turn % 2 else f"own{number}"
            result = self.run_one(["commit", folder, "--base", "base", "--name", branch, "-m", f"{number}/{turn}", "--json"])
            if result.code == DONE:
                with self.lock:
                    self.ledger.append((branch, result.json["commit"]))
            elif result.code not in (-signal.SIGKILL, CONFLICT, 1):
                self.problems.append(str(result))

    def repeat(self, number, words):
        turn = 0
        while not self.finished.is_set():
            turn += 1
            fresh = self.root / f"fresh{number}-{turn}"
            result = self.run_one([fresh if word == "{fresh}" else word for word in words])
            one_at_a_time = result.code == CONFLICT and "another gc, repack or forget" in result.err
            if result.code not in (DONE, -signal.SIGKILL) and not one_at_a_time:
                self.problems.append(str(result))
            shutil.rmtree(fresh, ignore_errors=True)

    def test_no_acknowledged_commit_is_lost(self):
        start = time.monotonic()
        self.checkout("task", "timed")
        whole = time.monotonic() - start  # of a command on its own: some of those beside each other get to their end
        threads = [threading.Thread(target=self.write, args=(number,)) for number in range(WRITERS)]
        threads += [threading.Thread(target=self.repeat, args=(number, words)) for number, words in enumerate(self.BESIDE)]
        for thread in threads:
            thread.start()
        try:
            while self.killed < KILLS and not self.problems:
                time.sleep(self.rng.uniform(0, whole))
                with self.lock:
                    if self.children:
                        self.rng.choice(self.children).kill()
                        self.killed += 1
        finally:
            self.finished.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.problems, [])
        self.assertGreater(len(self.ledger), 0, "nothing was ever acknowledged: the test proves nothing")
        self.assert_verifies()
        for branch in {branch for branch, _ in self.ledger}:
            rows = self.ok("log", branch, "--json").json
            acknowledged = {commit for name, commit in self.ledger if name == branch}
            self.assertEqual(acknowledged - {row["id"] for row in rows}, set(), f"lost from {branch}")
        self.checkout("task", "last")
        if "DSTORE_KILLS" in os.environ:
            print(f"{self.killed} kills, {len(self.ledger)} acknowledged commits by {WRITERS} writers, 0 lost")


if __name__ == "__main__":
    unittest.main()
