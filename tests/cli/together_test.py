"""Several processes at once: every commit is kept, in one line of history, or its maker is told to try again."""
import shutil
import subprocess
import unittest

import safetensors_file as st
from sandbox import CONFLICT, DONE, TIMEOUT, Case, Result, snapshot


class TogetherTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()

    def all_at_once(self, commands):
        children = [subprocess.Popen(self.command(words), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE) for words in commands]
        results = []
        for words, child in zip(commands, children):
            out, err = child.communicate(timeout=TIMEOUT)
            results.append(Result([str(word) for word in words], child.returncode, out, err.decode()))
        return results

    def commit_words(self, number, name="task"):
        folder = self.tiny_task(self.base, f"from{number}", 4 + number)
        return ["commit", folder, "--base", "base", "--name", name, "-m", f"from{number}"]

    def check_commits(self, count):
        before = [row["message"] for row in self.ok("log", "task", "--json").json]
        kept = set()
        for result in self.all_at_once([self.commit_words(number) for number in range(count)]):
            if result.code == DONE:
                kept.add(result.words[-1])
            else:
                self.check_error(result, CONFLICT, "again")
        rows = self.ok("log", "task", "--json").json
        self.assertEqual(len(rows), len(before) + len(kept))
        for row, older in zip(rows, rows[1:]):
            self.assertEqual(row["parents"], [older["id"]])
        self.assertEqual({row["message"] for row in rows[:len(kept)]}, kept)
        for place in range(len(kept)):
            self.assert_model(self.checkout(f"task~{place}", "out"), self.root / rows[place]["message"])
            shutil.rmtree(self.root / "out")
        self.assert_verifies()
        return kept

    def test_two_commits_to_one_branch(self):
        self.assertTrue(self.check_commits(2))

    def test_eight_commits_to_one_branch(self):
        self.assertTrue(self.check_commits(8))

    def test_eight_commits_to_a_branch_that_none_has_made_yet(self):
        self.ok("branch", "-d", "task")
        results = self.all_at_once([self.commit_words(number, "fresh") for number in range(8)])
        kept = [result for result in results if result.code == DONE]
        for result in results:
            if result.code != DONE:
                self.check_error(result, CONFLICT, "again")
        self.assertEqual(len(self.ok("log", "fresh", "--json").json), len(kept) + 1)
        self.assert_verifies()

    def test_readers_and_writers_at_once(self):
        commands = [self.commit_words(number, f"branch{number % 3}") for number in range(4)]
        commands += [["checkout", "base+task", "-o", self.root / f"out{number}"] for number in range(3)]
        commands += [["log", "--all", "--graph"], ["verify"], ["import", self.tiny_base("base2"), "--name", "base2"], ["tag", "v1", "task"], ["status"]]
        (self.repo / ".dstore" / "index.db").unlink()
        for result in self.all_at_once(commands):
            self.assertEqual(result.code, DONE, str(result))
        for number in range(3):
            tensors = {}
            for shard in (self.root / f"out{number}").glob("*.safetensors"):
                tensors.update(st.read(shard))
            self.assertEqual(tensors, st.read(self.task / "model.safetensors"))
        self.assert_verifies()

    def test_four_checkouts_into_one_folder(self):
        out = self.root / "out"
        results = self.all_at_once([["checkout", "task" if number % 2 else "base", "-o", out] for number in range(4)])
        self.assertTrue(any(result.code == DONE for result in results), "\n".join(map(str, results)))
        for result in results:
            if result.code != DONE:
                self.check_error(result)
        status = self.run_in("status", out, "--json").json
        self.assertEqual(status["changes"], [])
        self.assertEqual(snapshot(out), snapshot(self.base if status["revision"] == "base" else self.task))

    def test_one_tag_never_names_two_commits(self):
        results = self.all_at_once([["tag", "v1", "base" if number % 2 else "task"] for number in range(6)])
        # Two processes may make the very same move in the same second: both are right.
        made = {result.words[-1] for result in results if result.code == DONE}
        self.assertEqual(len(made), 1)
        self.assertEqual(self.ok("show", "v1", "--json").json["id"], self.ok("show", made.pop(), "--json").json["id"])
        self.assertEqual(len(list((self.repo / ".dstore" / "refs" / "v1").iterdir())), 1)
        for result in results:
            if result.code != DONE:
                self.check_error(result, CONFLICT)
        self.assert_verifies()

    def test_two_pushes_at_once_lose_nothing(self):
        self.ok("remote", "add", "origin", self.root / "remote")
        self.ok("push")
        self.ok(*self.commit_words(1))
        results = self.all_at_once([["push"], ["push"], ["push", "origin", "task"]])
        self.assertTrue(any(result.code == DONE for result in results))
        for result in results:
            if result.code != DONE:
                self.check_error(result, CONFLICT)
        self.assertIn("up to date", self.ok("push").text)
        self.assert_verifies()


if __name__ == "__main__":
    unittest.main()
