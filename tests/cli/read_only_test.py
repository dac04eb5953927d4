"""A store or a target that may not be written, as an ordinary user meets it."""
import os
import pathlib
import shutil
import unittest

import sandbox
from sandbox import CORRUPT, DONE, IO, Case, everything

NOBODY = 65534


class ReadOnlyTest(Case):
    def setUp(self):
        super().setUp()
        self.as_user = {}
        if os.geteuid() == 0:  # root may write everywhere, so these tests run as somebody else
            self.as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            original = sandbox.DSTORE
            sandbox.DSTORE = str(self.root / "dstore")
            shutil.copy(original, sandbox.DSTORE)
            os.chmod(sandbox.DSTORE, 0o755)
            self.addCleanup(setattr, sandbox, "DSTORE", original)
            self.own(self.root)
        self.addCleanup(self.set_writable, self.root, True)
        self.make_store()
        self.other = self.tiny_task(self.base, "other")
        if self.as_user:
            self.own(self.root)

    def own(self, folder):
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def run_plain(self, *words, **options):
        return super().run_plain(*words, **{**self.as_user, **options})

    def set_writable(self, folder, writable):
        for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
            mode = path.lstat().st_mode & 0o777
            path.chmod(mode | 0o200 if writable else mode & ~0o222)

    def test_a_read_only_store_is_read_but_not_written(self):
        for index in ("there", "gone"):
            with self.subTest(index=index):
                if index == "gone":
                    (self.repo / ".dstore" / "index.db").unlink()
                self.set_writable(self.repo, False)
                before = everything(self.repo)
                for words in (["import", self.tiny_base("base2"), "--name", "base2"], ["commit", self.other, "--base", "base", "--name", "other", "-m", "x"],
                              ["branch", "copy", "base"], ["tag", "v1", "base"], ["branch", "-d", "task"], ["remote", "add", "origin", self.root / "remote"]):
                    self.fails(IO, *words)
                self.assertEqual(everything(self.repo), before)
                for words in (["log"], ["query", "SELECT count(*) FROM tensors"], ["show", "task"], ["branch"], ["status"], ["stats", "task"], ["tasks"], ["verify"], ["verify", "base+task"]):
                    self.ok(*words)
                self.assert_model(self.checkout("task", f"out-{index}"), self.task)
                self.set_writable(self.repo, True)
        self.ok("commit", self.other, "--base", "base", "--name", "other", "-m", "x")
        self.assert_verifies()

    def test_a_read_only_store_is_checked_cloned_and_fetched_from(self):
        """As from a DVD, or somebody else's folder."""
        self.set_writable(self.repo, False)
        before = everything(self.repo)
        for words in (["fsck"], ["fsck", "--quick"], ["fsck", "--deep"], ["verify"]):
            self.ok(*words)
        clone = self.root / "clone"
        self.assertEqual(self.run_plain("clone", self.repo, clone).code, DONE)
        self.assertEqual(self.run_plain("-C", clone, "fetch").code, DONE)
        self.assertEqual(self.run_plain("-C", clone, "fsck", "--deep").code, DONE)
        light = self.root / "light"
        self.assertEqual(self.run_plain("clone", self.repo, light, "--without-base").code, DONE)
        self.fails(IO, "fsck", "--rebuild")
        self.assertEqual(everything(self.repo), before)

    def test_damage_on_read_only_media_is_found_and_cannot_be_repaired_there(self):
        remote = self.root / "remote"
        self.ok("remote", "add", "origin", remote)
        self.ok("push")
        pack = max((self.repo / ".dstore" / "packs").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(pack.read_bytes())
        content[90] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(bytes(content))
        self.set_writable(self.repo, False)
        before = everything(self.repo)
        self.assertEqual(self.run_in("fsck").code, CORRUPT)
        self.assertEqual(self.run_in("fsck", "--repair-from", "origin").code, IO)
        self.assertEqual(everything(self.repo), before)
        self.set_writable(self.repo, True)
        self.ok("fsck", "--repair-from", "origin")
        self.ok("fsck", "--deep")

    def test_a_linked_base_on_read_only_media(self):
        repo, self.repo = self.repo, self.root / "linked"
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "--link")
        for folder in (self.repo, self.base):
            self.set_writable(folder, False)
        self.assert_model(self.checkout("base", "out"), self.base)
        self.ok("fsck", "--deep")
        for folder in (self.repo, self.base):
            self.set_writable(folder, True)
        self.repo = repo

    def test_a_checkout_where_nothing_may_be_written(self):
        place = self.root / "place"
        place.mkdir()
        if self.as_user:
            self.own(place)
        self.set_writable(place, False)
        self.fails(IO, "checkout", "task", "-o", place / "out")
        self.assertEqual(list(place.iterdir()), [])
        self.set_writable(place, True)
        out = self.checkout("base", "place/out")
        self.set_writable(place, False)
        before = everything(out)
        self.fails(IO, "checkout", "task", "-o", out)
        self.assertEqual(everything(out), before)
        self.set_writable(place, True)
        self.ok("checkout", "task", "-o", out)
        self.assert_model(out, self.task)

    def test_a_model_that_may_not_be_read(self):
        (self.other / "model.safetensors").chmod(0)
        self.fails(IO, "commit", self.other, "--base", "base", "--name", "other", "-m", "x", says="model.safetensors")
        self.fails(IO, "import", self.other, "--name", "other", says="model.safetensors")
        self.assert_verifies()

    def test_a_key_that_others_may_read_is_refused(self):
        (self.user / "id_ed25519").chmod(0o644)
        self.fails(None, "commit", self.other, "--base", "base", "--name", "other", "-m", "x", says="id_ed25519")
        (self.user / "id_ed25519").chmod(0o600)
        self.assertEqual(self.run_in("commit", self.other, "--base", "base", "--name", "other", "-m", "x").code, DONE)

    def test_a_folder_that_is_not_to_become_a_repository(self):
        place = self.root / "place"
        place.mkdir()
        if self.as_user:
            self.own(place)
        self.set_writable(place, False)
        self.check_error(self.run_plain("init", place), IO)
        self.check_error(self.run_plain("clone", self.repo, place / "clone"), IO)
        self.assertEqual(list(place.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
