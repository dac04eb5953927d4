"""Remotes: push, clone, fetch, pull, and whom to trust."""
import unittest

from sandbox import CONFLICT, DONE, REMOTE, UNTRUSTED, Case


class SharingTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.remote = self.root / "remote"
        self.ok("remote", "add", "origin", self.remote)
        self.fingerprint = next(row["fingerprint"] for row in self.ok("key", "list", "--json").json if row["own"])
        self.other_user = self.environment(DSTORE_CONFIG_HOME=str(self.root / "other-user"), DSTORE_AUTHOR="Bob <bob@example.org>")

    def test_push_clone_pull_and_the_way_back(self):
        self.assertIn("sent", self.ok("push").text)
        self.assertIn("up to date", self.ok("push").text)
        clone = self.root / "clone"
        self.assertEqual(self.run_plain("key", "new", env=self.other_user).code, DONE)
        self.check_error(self.run_plain("clone", self.remote, clone, env=self.other_user), UNTRUSTED, "SHA256:")
        self.assertFalse(clone.exists())
        self.check_error(self.run_plain("clone", self.remote, clone, "--trust", "SHA256:" + "A" * 43, env=self.other_user), UNTRUSTED)
        self.assertFalse(clone.exists())
        done = self.run_plain("clone", self.remote, clone, "--trust", self.fingerprint, env=self.other_user)
        self.assertEqual(done.code, DONE, str(done))
        self.assertEqual(self.run_plain("-C", clone, "checkout", "task", "-o", self.root / "there", env=self.other_user).code, DONE)
        self.assert_model(self.root / "there", self.task)
        self.assertEqual(self.run_plain("-C", clone, "verify", env=self.other_user).code, DONE)

        # The second user goes on and pushes; the first does not know that key yet.
        other = self.tiny_task(self.base, "other", 6)
        words = ["-C", clone, "commit", other, "--base", "base", "--name", "task", "-m", "by Bob"]
        self.assertEqual(self.run_plain(*words, env=self.other_user).code, DONE)
        pushed = self.run_plain("-C", clone, "push", "origin", "task", env=self.other_user)
        self.assertEqual(pushed.code, DONE, str(pushed))
        self.fails(UNTRUSTED, "fetch")
        head = self.ok("show", "task", "--json").json["id"]
        self.fails(UNTRUSTED, "pull")
        self.assertEqual(self.ok("show", "task", "--json").json["id"], head)
        self.ok("key", "trust", self.root / "other-user" / "id_ed25519.pub", "--as", "bob@example.org")
        self.ok("fetch")
        self.assertEqual(self.ok("show", "task", "--json").json["id"], head)
        self.assert_model(self.checkout("origin/task", "fetched"), other)
        self.ok("pull")
        self.assert_model(self.checkout("task", "pulled"), other)
        self.assert_verifies()

    def test_two_who_diverge_are_told_and_nothing_is_lost(self):
        self.ok("push")
        clone = self.root / "clone"
        done = self.run_plain("clone", self.remote, clone)
        self.assertEqual(done.code, DONE, str(done))
        mine, theirs = self.tiny_task(self.base, "mine", 5), self.tiny_task(self.base, "theirs", 6)
        self.ok("commit", mine, "--base", "base", "--name", "task", "-m", "mine")
        self.assertEqual(self.run_plain("-C", clone, "commit", theirs, "--base", "base", "--name", "task", "-m", "theirs").code, DONE)
        self.ok("push")
        self.check_error(self.run_plain("-C", clone, "push"), CONFLICT, "pull")
        self.check_error(self.run_plain("-C", clone, "pull"), CONFLICT, "task")
        self.assertEqual(self.run_plain("-C", clone, "checkout", "task", "-o", self.root / "a").code, DONE)
        self.assert_model(self.root / "a", theirs)
        self.assertEqual(self.run_plain("-C", clone, "checkout", "origin/task", "-o", self.root / "b").code, DONE)
        self.assert_model(self.root / "b", mine)

    def test_only_what_is_missing_travels(self):
        self.ok("push", "origin", "base")
        first = self.ok("push", "--json").json
        self.assertEqual([row["name"] for row in first["refs"]], ["task"])
        other = self.tiny_task(self.base, "other", 5)
        self.ok("commit", other, "--base", "base", "--name", "task", "-m", "more")
        second = self.ok("push", "--json").json
        self.assertLess(second["bytes"], 10_000)
        self.assertGreater(second["objects"], 0)

    def test_push_goes_on_where_making_the_remote_was_stopped_but_takes_no_other_folder(self):
        self.remote.mkdir()
        (self.remote / "precious.txt").write_text("mine")
        self.fails(REMOTE, "push")
        self.assertEqual([path.name for path in self.remote.iterdir()], ["precious.txt"])
        (self.remote / "precious.txt").unlink()
        for name in ("packs", "tmp"):
            (self.remote / name).mkdir()
        (self.remote / ".tmp-0123").write_text("half of a config")
        self.ok("push")
        self.ok("clone", self.remote, self.root / "clone")

    def test_a_damaged_remote_is_refused_and_the_clone_leaves_nothing(self):
        self.ok("push")
        for pack in (self.remote / "packs").iterdir():
            content = bytearray(pack.read_bytes())
            content[len(content) // 3] ^= 0x10
            pack.chmod(0o644)
            pack.write_bytes(content)
        clone = self.root / "clone"
        self.check_error(self.run_plain("clone", self.remote, clone))
        self.assertFalse(clone.exists())


if __name__ == "__main__":
    unittest.main()
