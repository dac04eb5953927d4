"""A disk that is full, or files that may not grow, in the middle of import, commit and checkout."""
import contextlib
import resource
import shutil
import subprocess
import unittest

import safetensors_file as st
from sandbox import DONE, FINDINGS, IO, Case, snapshot


class FullDiskTest(Case):
    def setUp(self):
        super().setUp()
        self.base, self.task = self.root / "base", self.root / "task"
        tensors = {name: st.random_tensor(self.rng, "F32", [20_000]) for name in "abc"}
        st.write(self.base / "model.safetensors", tensors)
        (self.base / "config.json").write_text("{}")
        tensors = {name: st.changed(self.rng, tensor, 4000) for name, tensor in tensors.items()}
        st.write(self.task / "model.safetensors", tensors)
        (self.task / "config.json").write_text('{"task": 1}')
        self.words = {
            "import": ["import", self.base, "--name", "base", "-m", "x"],
            "commit": ["commit", self.task, "--base", "base", "--name", "task", "-m", "x"],
        }

    def limited(self, size, *words):
        """dstore where no file may become larger than `size` bytes."""
        return self.run_in(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))

    def heads(self):
        return {row["name"]: row["commit"] for row in self.ok("branch", "--json").json}

    def check_refused(self, run):
        """True: an error, and nothing changed. False: done in spite of it (the index is only a cache)."""
        before = self.heads()
        result = run()
        if result.code == DONE:
            self.assertNotEqual(self.heads(), before)
            return False
        self.check_error(result, IO)
        self.assertEqual(self.heads(), before, str(result))
        self.assertEqual(list((self.repo / ".dstore" / "tmp").iterdir()), [], str(result))
        self.assert_verifies()
        return True

    def test_files_that_may_not_grow(self):
        sizes = [0, 1, 100, 300, 600, 900, 1500, 3000, 5000, 10_000, 20_000, 30_000, 50_000, 80_000, 150_000, 240_000]
        for command in ("import", "commit"):
            self.run_plain("init", self.repo)
            if command == "commit":
                self.ok(*self.words["import"])
            refused = 0
            for size in sizes:
                with self.subTest(command=command, size=size):
                    if not self.check_refused(lambda: self.limited(size, *self.words[command])):
                        break
                    refused += 1
            self.assertGreater(refused, 5)
            result = self.run_in(*self.words[command])
            self.assertIn(result.code, (DONE, FINDINGS), str(result))
            self.assert_verifies()
            name = "base" if command == "import" else "task"
            self.assert_model(self.checkout(name, "out"), self.base if command == "import" else self.task)
            shutil.rmtree(self.root / "out")
            shutil.rmtree(self.repo)

    def test_checkout_of_files_that_may_not_grow(self):
        self.run_plain("init", self.repo)
        self.ok(*self.words["import"])
        self.ok(*self.words["commit"])
        folder = self.root / "folder"
        folder.mkdir()
        for size in (0, 1, 2, 100, 400, 1000, 100_000, 239_999):
            with self.subTest(size=size):
                self.check_error(self.limited(size, "checkout", "base+task", "-o", folder / "out"), IO)
                self.assertEqual(list(folder.iterdir()), [])
        out = self.checkout("base", "out")
        before = snapshot(out)
        for size in (0, 1, 100, 300, 600, 1000, 100_000, 239_999):
            with self.subTest(size=size, place="in place"):
                self.check_error(self.limited(size, "checkout", "task", "-o", out), IO)
                self.assertEqual(snapshot(out), before)
                self.assertEqual(self.ok("status", out, "--json").json["changes"], [])
        self.ok("checkout", "task", "-o", out)
        self.assert_model(out, self.task)

    @contextlib.contextmanager
    def small_disk(self, size):
        place = self.root / "disk"
        place.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(place)], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("this user may not mount a small tmpfs: " + mounted.stderr.strip())
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def test_a_full_disk_during_import_and_commit(self):
        for command in ("import", "commit"):
            with self.small_disk("1m") as disk:
                self.repo = disk / "repo"
                self.run_plain("init", self.repo)
                if command == "commit":
                    self.ok(*self.words["import"])
                ballast = disk / "ballast"
                refused = 0
                for free in (0, 4096, 8192, 16384, 24576, 32768, 49152, 65536, 98304, 131072, 196608):
                    ballast.write_bytes(b"")
                    room = shutil.disk_usage(disk).free
                    ballast.write_bytes(b"x" * max(0, room - free))
                    with self.subTest(command=command, free=free):
                        if not self.check_refused(lambda: self.run_in(*self.words[command])):
                            break
                        refused += 1
                self.assertGreater(refused, 1)
                ballast.unlink()
                self.assertIn(self.run_in(*self.words[command]).code, (DONE, FINDINGS))
                self.assert_verifies()
                name = "base" if command == "import" else "task"
                self.assert_model(self.checkout(name, "out-" + name), self.base if command == "import" else self.task)

    def test_reading_checking_and_collecting_on_a_full_disk(self):
        with self.small_disk("2m") as disk:
            self.repo = disk / "repo"
            self.run_plain("init", self.repo)
            self.ok(*self.words["import"])
            self.ok(*self.words["commit"])
            self.ok("branch", "-d", "task")
            ballast = disk / "ballast"
            with open(ballast, "wb", buffering=0) as file:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * 4096)
            self.assertEqual(shutil.disk_usage(disk).free, 0)
            for words in (["log"], ["branch"], ["show", "base"], ["fsck"], ["fsck", "--deep"], ["gc", "--dry-run"], ["query", "SELECT count(*) FROM commits"], ["du"],
                          ["checkout", "base", "-o", self.root / "out"]):
                self.ok(*words)
            self.assert_model(self.root / "out", self.base)
            self.ok("gc")
            self.assertGreater(shutil.disk_usage(disk).free, 0)
            ballast.unlink()
            self.assertEqual(self.ok("du", "--json").json["garbage"], 0)
            self.assert_verifies()
            self.ok(*self.words["commit"])

    def test_a_full_disk_during_checkout(self):
        self.run_plain("init", self.repo)
        self.ok(*self.words["import"])
        self.ok(*self.words["commit"])
        with self.small_disk("600k") as disk:
            ballast = disk / "ballast"
            for free in (0, 4096, 100_000, 200_000, 240_000):
                ballast.write_bytes(b"")
                ballast.write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - free))
                with self.subTest(free=free):
                    self.check_error(self.run_in("checkout", "task", "-o", disk / "out"), IO)
                    self.assertEqual([path.name for path in disk.iterdir()], ["ballast"])
            ballast.unlink()
            out = disk / "out"
            self.ok("checkout", "base", "-o", out)
            before = snapshot(out)
            ballast.write_bytes(b"x" * 120_000)
            self.check_error(self.run_in("checkout", "task", "-o", out), IO)
            self.assertEqual(snapshot(out), before)
            self.assertEqual(self.ok("status", out, "--json").json["changes"], [])
            ballast.unlink()
            self.ok("checkout", "task", "-o", out)
            self.assert_model(out, self.task)


if __name__ == "__main__":
    unittest.main()
