"""apply, unapply and switch in a folder, and bundles."""
import os
import shutil
import signal
import subprocess
import time
import unittest

import safetensors_file as st
from sandbox import CONFLICT, CORRUPT, DONE, IO, NOT_FOUND, UNTRUSTED, USAGE, Case, everything, snapshot


def inode_of(path):
    return path.stat().st_ino


class ApplyCase(Case):
    def setUp(self):
        super().setUp()
        self.make_store()

    def second_task(self, name="other", head=True):
        folder = self.tiny_task(self.base, name, count=5, head=head)
        self.ok("commit", folder, "--base", "base", "--name", name, "-m", name)
        return folder

    def expected(self, revision):
        return snapshot(self.checkout(revision, "expected-" + revision.replace("+", "-")))

    def assert_is(self, folder, revision):
        self.assertEqual(snapshot(folder), self.expected(revision))
        status = self.run_in("status", folder, "--verify")
        self.assertEqual(status.code, DONE, str(status))
        self.assertIn(revision, status.text)
        self.assertEqual([name for name in os.listdir(folder) if name.startswith(".dstore-tmp")], [])


class InPlaceTest(ApplyCase):
    def test_a_task_is_applied_and_taken_back(self):
        out = self.checkout("base", "out")
        before = snapshot(out)
        shown = self.ok("apply", "task", out).text
        self.assertIn("base → base+task", shown)
        self.assertIn("good signature", shown)
        self.assert_is(out, "base+task")
        self.assertIn("base+task → base", self.ok("unapply", out).text)
        self.assertEqual(snapshot(out), before)
        self.assert_is(out, "base")
        self.fails(NOT_FOUND, "unapply", out, says="nothing to take back")

    def test_pages_are_written_into_the_file_that_is_there(self):
        self.second_task("plain", head=False)
        out = self.checkout("base", "out")
        inode = inode_of(out / "model.safetensors")
        report = self.ok("apply", "plain", out, "--json").json
        self.assertEqual((report["patched"], report["before"], report["after"]), (1, "base", "base+plain"))
        self.assertGreater(report["changed_bytes"], 0)
        self.assertEqual(inode_of(out / "model.safetensors"), inode)
        self.assert_is(out, "base+plain")
        self.assertEqual(self.ok("unapply", out, "--json").json["after"], "base")
        self.assertEqual(inode_of(out / "model.safetensors"), inode)
        self.assert_is(out, "base")

    def test_a_head_moves_the_file_without_copying_it(self):
        out = self.checkout("base", "out")
        inode = inode_of(out / "model.safetensors")
        self.ok("apply", "task", out)
        self.assertEqual(inode_of(out / "model-00001-of-00002.safetensors"), inode)
        self.ok("unapply", out)
        self.assertEqual(inode_of(out / "model.safetensors"), inode)

    def test_switching_goes_everywhere_and_back(self):
        self.second_task()
        self.second_task("plain", head=False)
        out = self.checkout("base", "out")
        last = "base"
        for revision in ("base+task", "base+other", "base+plain", "task", "base", "base+plain", "plain", "base+task"):
            report = self.ok("switch", revision, out, "--json", "--verify").json
            self.assertEqual((report["before"], report["after"]), (last, revision))
            self.assert_is(out, revision)
            last = revision
        self.ok("unapply", out)
        self.assert_is(out, "plain")
        self.assertEqual(self.ok("switch", "plain", out, "--json").json["changed_bytes"], 0)

    def test_prefixed_names_and_sharded_bases(self):
        tensors = st.read(self.base / "model.safetensors")
        task = {"bert." + name: tensor for name, tensor in tensors.items()}
        task["bert.layer.0.weight"] = st.changed(self.rng, task["bert.layer.0.weight"], 4)
        folder = self.root / "prefixed"
        st.write(folder / "model.safetensors", task, {"format": "pt"})
        (folder / "config.json").write_text('{"a": 1}')
        self.ok("commit", folder, "--base", "base", "--name", "prefixed", "-m", "p")
        out = self.checkout("base", "out")
        self.ok("apply", "prefixed", out)
        self.assert_is(out, "base+prefixed")
        undo = (out / ".dstore-undo").stat().st_size
        self.assertLess(undo, (out / "model.safetensors").stat().st_size)  # no second copy
        self.ok("switch", "base+task", out)
        self.assert_is(out, "base+task")
        self.ok("unapply", out)
        self.assert_is(out, "base+prefixed")

    def test_a_plain_folder_with_the_base_becomes_a_checkout(self):
        out = self.root / "plain"
        shutil.copytree(self.base, out)
        self.ok("apply", "task", out)
        self.assertEqual(snapshot(out), self.expected("base+task"))
        self.ok("unapply", out)
        self.assertEqual(snapshot(out), snapshot(self.base))

    def test_a_folder_with_other_weights_is_refused(self):
        wrong = self.tiny_base("wrong")
        before = everything(wrong)
        self.fails(CONFLICT, "apply", "task", wrong, says="not the base of this task")
        self.assertEqual(everything(wrong), before)
        task = self.checkout("task", "task-out")
        before = everything(task)
        self.fails(CONFLICT, "apply", "task", task, says="not the base")
        self.fails(USAGE, "apply", "base", task)
        self.fails(CONFLICT, "apply", "base+task", task, says="not the base")
        self.fails(NOT_FOUND, "apply", "task", self.root / "nowhere")
        self.fails(NOT_FOUND, "switch", "task", self.base, says="not a checkout")
        self.assertEqual(everything(task), before)

    def test_files_changed_by_hand_are_named_and_nothing_is_written(self):
        out = self.checkout("base", "out")
        for path in ("config.json", "model.safetensors"):
            content = bytearray((out / path).read_bytes())
            content[-3] ^= 1
            kept = (out / path).read_bytes()
            (out / path).write_bytes(content)
            before = everything(out)
            self.fails(CONFLICT, "apply", "task", out, says=path)
            self.fails(CONFLICT, "switch", "base+task", out, says=path)
            self.assertEqual(everything(out), before)
            (out / path).write_bytes(kept)
        self.ok("apply", "task", out)
        (out / "vocab.txt").write_text("mine")
        before = everything(out)
        self.fails(CONFLICT, "unapply", out, says="vocab.txt")
        self.assertEqual(everything(out), before)

    def test_values_changed_behind_an_unchanged_stamp_are_noticed(self):
        out = self.checkout("base", "out")
        path = out / "model.safetensors"
        info = path.stat()
        content = bytearray(path.read_bytes())
        content[-60:] = bytes(60)
        header = int.from_bytes(content[:8], "little") + 8
        for at in range(header, len(content)):
            content[at] ^= 4
        with path.open("r+b") as file:
            file.write(content)
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        before = everything(out)
        self.fails(CORRUPT, "apply", "task", out, says="wrong base?")
        self.assertEqual(everything(out), before)
        self.fails(CONFLICT, "apply", "task", out, "--verify", says="model.safetensors")

    def test_a_foreign_file_in_the_way_is_refused_and_others_stay(self):
        out = self.checkout("base", "out")
        (out / "notes.txt").write_text("mine")
        self.ok("apply", "task", out)
        self.assertEqual((out / "notes.txt").read_text(), "mine")
        self.ok("unapply", out)
        (out / "model-00002-of-00002.safetensors").write_text("mine")
        self.assertIn(self.run_in("apply", "task", out).code, (CONFLICT, CORRUPT))
        self.assertEqual((out / "model-00002-of-00002.safetensors").read_text(), "mine")

    def test_a_linked_base_is_not_changed(self):
        self.run_plain("init", self.root / "linking")
        self.run_plain("-C", self.root / "linking", "import", self.base, "--link", "--name", "base")
        self.run_plain("-C", self.root / "linking", "commit", self.task, "--base", "base", "--name", "task", "-m", "t")
        before = snapshot(self.base)
        self.check_error(self.run_plain("-C", self.root / "linking", "apply", "task", self.base), CONFLICT, "-o")
        link = self.root / "cache"
        link.mkdir()
        for name in os.listdir(self.base):
            (link / name).symlink_to(self.base / name)
        self.fails(CONFLICT, "apply", "task", link, says="is a link")
        self.assertEqual(snapshot(self.base), before)
        self.ok("apply", "task", link, "-o", self.root / "new")
        self.assertEqual(snapshot(self.root / "new"), self.expected("base+task"))

    def test_a_second_name_of_a_file_does_not_see_the_change(self):
        self.second_task("plain", head=False)
        out = self.checkout("base", "out")
        os.link(out / "model.safetensors", self.root / "second")
        before = (self.root / "second").read_bytes()
        self.ok("apply", "plain", out)
        self.assert_is(out, "base+plain")
        self.assertEqual((self.root / "second").read_bytes(), before)
        self.ok("unapply", out)
        self.assert_is(out, "base")

    def test_a_new_folder_is_written_and_the_other_one_left_alone(self):
        out = self.checkout("base", "out")
        before = everything(out)
        self.ok("apply", "task", out, "-o", self.root / "new")
        self.assertEqual(everything(out), before)
        self.assert_is(self.root / "new", "base+task")
        self.fails(CONFLICT, "apply", "task", out, "-o", self.root / "new", says="exists already")

    def test_an_undo_file_that_is_damaged_is_refused(self):
        out = self.checkout("base", "out")
        self.ok("apply", "task", out)
        undo = out / ".dstore-undo"
        good = undo.read_bytes()
        for at in range(0, len(good), max(1, len(good) // 40)):
            undo.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            before = everything(out)
            self.assertIn(self.run_in("unapply", out).code, (CORRUPT, 7))
            self.assertEqual(everything(out), before)
        undo.write_bytes(good[:-1])
        self.fails(CORRUPT, "unapply", out)
        undo.write_bytes(good)
        self.ok("unapply", out)
        self.assert_is(out, "base")

    def test_a_checkout_forgets_what_could_be_taken_back(self):
        out = self.checkout("base", "out")
        self.ok("apply", "task", out)
        self.ok("checkout", "base", "-o", out)
        self.assertFalse((out / ".dstore-undo").exists())
        self.fails(NOT_FOUND, "unapply", out)

    @unittest.skipIf(os.geteuid() == 0, "root writes everywhere")
    def test_a_read_only_folder_stays_as_it_is(self):
        out = self.checkout("base", "out")
        out.chmod(0o500)
        self.fails(IO, "apply", "task", out)
        out.chmod(0o700)
        self.assert_is(out, "base")


class BundleTest(ApplyCase):
    def setUp(self):
        super().setUp()
        self.bundle = self.root / "task.bundle"
        self.ok("bundle", "task", "-o", self.bundle)

    def away(self, *words, **options):
        """Where there is no repository."""
        (self.root / "away").mkdir(exist_ok=True)
        return self.run_plain(*words, cwd=self.root / "away", **options)

    def test_a_bundle_needs_no_repository(self):
        expected = self.expected("base+task")
        wanted = self.away("apply", self.bundle, self.base, "-o", self.root / "new", "--json")
        self.assertEqual(wanted.code, DONE, str(wanted))
        self.assertEqual([row["signature"] for row in wanted.json["commits"]], ["good", "good"])
        self.assertEqual(snapshot(self.root / "new"), expected)
        out = self.root / "plain"
        shutil.copytree(self.base, out)
        shutil.move(self.repo, self.root / "gone")
        self.assertEqual(self.away("apply", self.bundle, out).code, DONE)
        self.assertEqual(snapshot(out), expected)
        self.assertEqual(self.away("unapply", out).code, DONE)
        self.assertEqual(snapshot(out), snapshot(self.base))
        self.assertEqual([name for name in os.listdir(self.root) if "dstore-tmp" in name], [])

    def test_a_bundle_is_small_and_has_no_base(self):
        self.assertLess(self.bundle.stat().st_size, sum(len(content) for content in snapshot(self.base).values()) + 8000)
        wrong = self.tiny_base("wrong")
        result = self.away("apply", self.bundle, wrong, "-o", self.root / "new")
        self.assertIn(result.code, (CONFLICT, CORRUPT))
        self.assertFalse((self.root / "new").exists())

    def test_only_trusted_signatures_pass(self):
        stranger = self.environment(DSTORE_CONFIG_HOME=str(self.root / "stranger"))
        result = self.away("apply", self.bundle, self.base, "-o", self.root / "new", env=stranger)
        self.check_error(result, UNTRUSTED)
        self.ok("commit", self.second_task("x"), "--base", "base", "--name", "bare", "-m", "b", "--no-sign")
        self.ok("bundle", "bare", "-o", self.root / "bare.bundle")
        self.check_error(self.away("apply", self.root / "bare.bundle", self.base, "-o", self.root / "new"), UNTRUSTED)
        self.assertFalse((self.root / "new").exists())
        self.assertEqual(self.away("apply", self.root / "bare.bundle", self.base, "-o", self.root / "new", "--allow-unsigned").code, DONE)

    def test_several_tasks_are_asked_for_by_name(self):
        self.second_task()
        both = self.root / "both.bundle"
        self.ok("bundle", "task", "other", "-o", both)
        self.check_error(self.away("apply", both, self.base, "-o", self.root / "new"), USAGE, "other, task")
        self.check_error(self.away("apply", both, self.base, "-o", self.root / "new", "--task", "x"), NOT_FOUND)
        self.assertEqual(self.away("apply", both, self.base, "-o", self.root / "new", "--task", "other").code, DONE)
        self.assertEqual(snapshot(self.root / "new"), self.expected("base+other"))

    def test_a_damaged_bundle_is_refused_at_every_byte(self):
        good = self.bundle.read_bytes()
        bad = self.root / "bad.bundle"
        for at in range(8, len(good), max(1, len(good) // 60)):
            bad.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:])
            self.assertIn(self.away("apply", bad, self.base, "-o", self.root / "new").code, (CORRUPT, 7), at)
            bad.write_bytes(good[:at])
            self.assertEqual(self.away("apply", bad, self.base, "-o", self.root / "new").code, CORRUPT, at)
        self.assertFalse((self.root / "new").exists())

    def test_wrong_use_is_told(self):
        self.fails(CONFLICT, "bundle", "task", "-o", self.bundle, says="--force")
        self.ok("bundle", "task", "-o", self.bundle, "--force")
        self.fails(USAGE, "bundle", "base", "-o", self.root / "b", says="not a task")
        self.fails(USAGE, "bundle", "task")
        self.fails(USAGE, "apply", "task", self.base, "--task", "x")
        self.fails(NOT_FOUND, "apply", "nothing", self.base)
        self.assertFalse((self.root / "b").exists())


class KilledTest(ApplyCase):
    def test_a_killed_change_is_either_model_for_the_next_command(self):
        self.repo = self.root / "large"
        self.make_large()
        out = self.root / "out"
        self.ok("checkout", "base", "-o", out)
        models = {"base": self.expected("base"), "base+task": self.expected("base+task")}
        for round in range(24):
            words = ["switch", "base+task" if round % 2 else "base", out] if round % 3 else ["unapply", out]
            child = subprocess.Popen(self.command(words), env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.35 * (round % 8 + 1) / 8)
            child.send_signal(signal.SIGKILL)
            child.wait()
            status = self.run_in("status", out, "--verify")
            self.assertEqual(status.code, DONE, str(status))
            revision = status.text.split(": ")[1].split(" (")[0]
            self.assertEqual(snapshot(out), models[revision])
            self.run_in("switch", "base+task" if revision == "base" else "base", out)

    def make_large(self):
        self.base = self.tiny_base("large-base", scale=4000)
        self.task = self.tiny_task(self.base, "large-task", count=20000)
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base")
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "t")


if __name__ == "__main__":
    unittest.main()
