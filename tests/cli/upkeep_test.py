"""gc, repack, du, reset and forget as a user types them."""
import os
import shutil
import signal
import subprocess
import unittest

import safetensors_file as st
from sandbox import CONFLICT, CORRUPT, DONE, NOT_FOUND, TIMEOUT, USAGE, Case, everything


class UpkeepTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.store = self.repo / ".dstore"

    def pack_bytes(self, store=None):
        return sum(path.stat().st_size for path in ((store or self.store) / "packs").iterdir())

    def head(self, name):
        return self.ok("show", name, "--json").json["id"]

    def more(self, name, count=9):
        folder = self.tiny_task(self.base, "from-" + name, count)
        self.ok("commit", folder, "--base", "base", "--name", name, "-m", name)
        return folder

    def test_gc_removes_a_deleted_branch(self):
        self.more("extra")
        self.ok("branch", "-d", "extra")
        before = everything(self.store / "packs")
        planned = self.ok("gc", "--dry-run", "--json").json
        self.assertEqual(everything(self.store / "packs"), before)
        self.assertEqual(planned["dry_run"], 1)
        self.assertEqual(planned["removed"]["commit"]["objects"], 1)
        self.assertIn("would remove", self.ok("gc", "-n").text)
        # History names it still: --keep finds it there.
        self.assertEqual(self.ok("gc", "--keep", "all", "--json").json["packs_deleted"], 0)
        self.assertEqual(self.ok("gc", "--keep", "last=2", "--json").json["packs_deleted"], 0)
        done = self.ok("gc", "--json").json
        self.assertEqual(done["removed"], planned["removed"])
        self.assertEqual(done["bytes_after"], self.pack_bytes())
        self.assertIn("nothing to do", self.ok("gc").text)
        self.assertEqual(self.ok("gc", "-q").text, "")
        self.assert_model(self.checkout("task", "out"), self.task)
        self.assert_verifies()

    def test_gc_says_what_is_wrong(self):
        for words in (["--keep", "last=0"], ["--keep", "some"], ["--keep", "last=x"], ["--wait", "x"]):
            self.fails(USAGE, "gc", *words)
        self.fails(NOT_FOUND, "gc", "--remote", "nowhere")
        self.fails(USAGE, "repack", "--max-pack", "3G", says="2G")
        self.fails(USAGE, "repack", "--profile", "huge")

    def test_a_damaged_repository_is_not_collected(self):
        self.more("extra")
        self.ok("branch", "-d", "extra")
        packs = sorted((self.store / "packs").iterdir(), key=lambda path: path.stat().st_size)
        os.chmod(packs[-1], 0o600)
        content = bytearray(packs[-1].read_bytes())
        for at in range(16, len(content) - 1000, 50):
            content[at] ^= 1
        packs[-1].write_bytes(content)
        before = everything(self.store / "packs")
        self.fails(CORRUPT, "gc", says="verify")
        self.assertEqual(everything(self.store / "packs"), before)

    def test_temporary_files_of_a_killed_process_go(self):
        (self.store / "tmp" / "left").write_bytes(b"x")
        (self.store / "refs" / "task" / ".tmp-left").write_bytes(b"x")
        self.assertEqual(self.ok("gc", "--json").json["leftovers"], 2)
        self.assertEqual(list((self.store / "tmp").iterdir()), [])

    def test_repack_joins_packs_and_keeps_ids(self):
        for number in range(4):
            self.more(f"t{number}")
        commits = {row["id"] for row in self.ok("log", "--all", "--json").json}
        planned = self.ok("repack", "--dry-run", "--json").json
        self.assertEqual(planned["packs_deleted"], 6)
        self.assertEqual(self.ok("repack", "--json").json["packs_written"], 1)
        self.assertEqual(len(list((self.store / "packs").iterdir())), 1)
        self.assertIn("nothing to do", self.ok("repack").text)
        self.ok("repack", "--profile", "compact")
        self.ok("repack", "--max-pack", "4Ki")
        self.assertGreater(len(list((self.store / "packs").iterdir())), 1)
        self.assertEqual({row["id"] for row in self.ok("log", "--all", "--json").json}, commits)
        self.assert_verifies()
        self.assert_model(self.checkout("task", "out"), self.task)

    def test_du_adds_up(self):
        self.more("extra")
        usage = self.ok("du", "--json").json
        parts = ("exclusive", "shared", "elsewhere", "copies", "garbage", "framing", "unreadable")
        self.assertEqual(sum(usage[part] for part in parts), self.pack_bytes())
        self.assertEqual(usage["total"], self.pack_bytes())
        self.assertEqual(sum(ref["exclusive"] for ref in usage["refs"]), usage["exclusive"])
        self.assertEqual(usage["garbage"], 0)
        self.assertIn("task", self.ok("du").text)
        self.assertEqual([ref["name"] for ref in self.ok("du", "task", "--json").json["refs"]], ["task"])
        self.fails(NOT_FOUND, "du", "nothing")
        self.ok("branch", "-d", "extra")
        self.assertGreater(self.ok("du", "--json").json["garbage"], 0)

    def test_reset_moves_a_branch_there_and_back(self):
        first = self.head("task")
        folder = self.more("task")
        second = self.head("task")
        self.assertIn("task@{1}", self.ok("reset", "task", "task~1").text)
        self.assertEqual(self.head("task"), first)
        self.assertEqual(self.ok("reset", "task", "task@{1}", "--json").json, {"branch": "task", "before": first, "after": second})
        self.assertEqual(self.head("task"), second)
        self.assert_model(self.checkout("task", "out"), folder)
        self.assertIn("already", self.ok("reset", "task", "task").text)
        self.ok("tag", "v1", "task")
        self.fails(CONFLICT, "reset", "v1", "task~1", says="tag")
        self.fails(CONFLICT, "reset", "task", "base", says="base")
        self.fails(NOT_FOUND, "reset", "nothing", "task")
        self.fails(NOT_FOUND, "reset", "task", "task@{9}")

    def test_forget_prints_a_proof_and_travels(self):
        remote = self.root / "remote"
        self.ok("remote", "add", "origin", remote)
        self.more("secret")
        commit = self.head("secret")
        self.ok("push")
        self.run_plain("clone", remote, self.root / "clone")
        self.fails(CONFLICT, "forget", "secret", says="secret is at")
        proof = self.ok("forget", "secret", "--force").text
        self.assertIn("deleted secret", proof)
        self.assertIn("forgot commit " + commit, proof)
        self.assertRegex(proof, r"removed \d+ objects")
        self.assertIn("checked: none of the", proof)
        self.assertIn("forgotten on", self.ok("show", commit).text)  # the remote's branch names it still: its record stays
        self.fails(NOT_FOUND, "checkout", commit, "-o", self.root / "no", says="forgotten on")
        self.assertIn("1 forgotten", self.ok("verify").text)
        self.assertEqual(self.ok("push", "--json").json["forgotten"], 1)
        before = self.pack_bytes(remote)
        self.ok("gc", "--remote", "origin")
        self.assertLess(self.pack_bytes(remote), before)
        clone = ["-C", self.root / "clone"]
        pulled = self.run_plain(*clone, "pull")
        self.assertEqual(pulled.code, DONE, str(pulled))
        result = self.run_plain(*clone, "checkout", "secret", "-o", self.root / "no")
        self.check_error(result, NOT_FOUND, "forgotten on")
        self.assertEqual(self.run_plain(*clone, "gc").code, DONE)
        self.assertIn("forgotten", self.run_plain(*clone, "log", "--all").text)
        self.assertEqual(self.run_plain(*clone, "verify").code, DONE)
        self.assertIn("skipped secret", self.run_plain(*clone, "push").text)

    def test_forget_of_an_older_commit_keeps_the_history(self):
        middle = self.head("task")
        folder = self.more("task")
        done = self.ok("forget", "task~1", "--json").json
        self.assertEqual(done["history_keeps"], [middle])
        self.assertEqual(done["still_there"], 0)
        self.assertGreater(done["objects"], 0)
        log = self.ok("log", "task").text
        self.assertIn("forgotten", log)
        self.assertEqual(len(self.ok("log", "task", "--json").json), 3)
        self.assert_model(self.checkout("task", "out"), folder)
        self.assert_verifies()
        self.fails(NOT_FOUND, "forget", "nothing")

    def test_a_collection_killed_at_any_moment_loses_nothing(self):
        for turn in range(12):
            self.more(f"t{turn}")
            self.ok("branch", "-d", f"t{turn}")
            child = subprocess.Popen(self.command(["gc"] if turn % 2 else ["repack", "--max-pack", "2000"]), cwd=self.root, env=self.environment(),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                child.communicate(timeout=self.rng.uniform(0, 0.06))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.communicate(timeout=TIMEOUT)
            self.assert_verifies()
        self.ok("gc")
        self.assert_verifies()
        self.assert_model(self.checkout("task", "out"), self.task)
        self.assertEqual(self.ok("du", "--json").json["garbage"], 0)
        self.assertEqual(list((self.store / "tmp").iterdir()), [])
        self.assertEqual(list((self.store / "leases").iterdir()), [])

    def test_a_full_disk_can_be_collected(self):
        disk = self.root / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", str(disk)], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("this user may not mount a small tmpfs: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        shutil.copytree(self.repo, disk / "repo")
        self.repo = disk / "repo"
        big = self.root / "big"
        st.write(big / "model.safetensors", {"w": st.random_tensor(self.rng, "F32", [100_000])})
        self.ok("import", big, "--name", "big", "-m", "big")
        self.ok("branch", "-d", "big")
        (self.repo / ".dstore" / "tmp" / "left").write_bytes(b"x" * 20_000)
        (disk / "ballast").write_bytes(b"x" * max(0, shutil.disk_usage(disk).free))
        self.assertEqual(shutil.disk_usage(disk).free, 0)
        self.assertLess(self.ok("gc", "--json").json["bytes_after"], 200_000)
        self.assertGreater(shutil.disk_usage(disk).free, 300_000)
        self.assert_verifies()
        self.assert_model(self.checkout("task", "out"), self.task)


if __name__ == "__main__":
    unittest.main()
