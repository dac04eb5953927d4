"""dstore-train, saved, killed and resumed: the result is that of a run that nothing happened to, bit for bit.

Usage: resume_test.py DSTORE_TRAIN
"""
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from tiny_folder import make_models, make_tables, read, write

TRAIN = sys.argv.pop(1)
METHODS = (("full",), ("bitfit",), ("diff-pruning", "--density", "2%"), ("diff-pruning", "--density", "2%", "--structure", "none"),
           ("fish", "--density", "2%"), ("lt-sft", "--density", "2%", "--set", "iterations=2"), ("top-k", "--density", "2%"), ("masking",))
TIMES = {"seconds", "seconds_per_step", "cpu_seconds_per_step", "peak_rss_bytes"}
TIMEOUT = 300


class Run:
    """One training that is saved, in a folder of its own."""

    def __init__(self, test, *words):
        self.test, self.words = test, words
        self.folder, self.out = (tempfile.mkdtemp(dir=test.root) for _ in range(2))

    def command(self, *words, resume=False):
        known = () if resume else ("--data", self.test.tables["train"], "--dev", self.test.tables["dev"], "--test", self.test.tables["test"], *self.words)
        return [TRAIN, "train", "--repository", self.test.root, "--out", self.out, "--run", self.folder, "--name", "topic",
                *(("--resume",) if resume else ()), self.test.base, *known, *words]

    def go(self, *words, resume=False, status=0, cwd=None):
        done = subprocess.run(self.command(*words, resume=resume), capture_output=True, text=True, timeout=TIMEOUT, cwd=cwd)
        self.test.assertEqual(done.returncode, status, done.stderr)
        self.stderr = done.stderr
        return self

    def stop(self, number, seconds, *words, resume=False):
        """Whether it was done before the signal."""
        process = subprocess.Popen(self.command(*words, resume=resume), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            self.stderr = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            self.stderr = process.communicate(timeout=TIMEOUT)[1]
        return process.returncode == 0

    def started(self):
        return os.path.exists(os.path.join(self.folder, "run.json"))

    def saved(self):
        return sorted(int(name[6:]) for name in os.listdir(self.folder) if name.startswith("state-"))

    def facts(self):
        return {key: value for key, value in json.loads(read(self.out, "stage.json"))["training"].items() if key not in TIMES}

    def result(self):
        """All that a commit would have, without times."""
        stage = json.loads(read(self.out, "stage.json"))
        log = [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in read(self.out, "train.jsonl").splitlines()]
        return read(self.out, "tensors.safetensors", mode="rb"), self.facts(), stage["metrics"], log


class ResumeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.root = cls.scratch.name
        cls.base, _ = make_models(cls.root)
        cls.tables = make_tables(cls.root)
        cls.rng = random.Random(7)

    def run_of(self, *words, method=("bitfit",), steps=40, save_every=3):
        return Run(self, "--method", *method, "--steps", str(steps), "--batch", "8", "--eval-every", "7", "--threads", "2",
                   *(() if save_every is None else ("--save-every", str(save_every))), *words)

    def refused(self, run, says, *words, status=2, resume=True, **options):
        run.go(*words, resume=resume, status=status, **options)
        self.assertEqual(len([line for line in run.stderr.splitlines() if line.startswith("dstore: ")]), 1, run.stderr)
        self.assertTrue(run.stderr.strip().splitlines()[-1].startswith("dstore: "), run.stderr)
        for word in (says,) if isinstance(says, str) else says:
            self.assertIn(word, run.stderr)

    def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(self):
        for method in METHODS:
            with self.subTest(method):
                begin = time.monotonic()
                whole = self.run_of(method=method).go().result()
                seconds = time.monotonic() - begin
                run = self.run_of(method=method)
                done, kills = run.stop(signal.SIGKILL, self.rng.uniform(0.3, 0.9) * seconds), 1
                while not done and kills < 4:
                    done = run.stop(signal.SIGKILL, self.rng.uniform(0.3, 0.9) * seconds, resume=run.started())
                    kills += 1
                if not done:
                    run.go(resume=run.started())
                self.assertEqual(run.result(), whole)
                self.assertLessEqual(len(run.saved()), 2)

    def interrupt(self, run, steps):
        process = subprocess.Popen(run.command(), stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if f"100/{steps}" in line:
                break
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(process.returncode, 130, message)
        return message

    def test_an_interrupt_saves_and_says_how_to_go_on(self):
        whole = self.run_of(steps=4000).go().result()
        for save_every in (3, None):
            with self.subTest(save_every):
                run = self.run_of(steps=4000, save_every=save_every)
                self.assertRegex(self.interrupt(run, 4000), r"saved after step \d+: go on with `dstore train --resume topic`\n\Z")
                self.assertEqual(os.listdir(run.out), [])
                self.refused(run, ("unfinished", "--resume topic"), resume=False, status=6)
                run.go(resume=True)
                self.assertIn("goes on after step", run.stderr)
                self.assertEqual(run.result(), whole)

    def test_on_request_nothing_is_saved(self):
        run = self.run_of(steps=4000, save_every=0)
        self.assertTrue(self.interrupt(run, 4000).endswith("nothing is staged\n"))
        self.assertEqual(os.listdir(run.folder), [])

    def test_a_run_without_a_state_is_begun_anew_without_a_question(self):
        run = self.run_of("--warmup", "0", "--clip", "0", method=("full",), save_every=None)
        self.refused(run, ("not finite at step", "no good state was saved before", "--resume topic"), "--lr", "1e30", resume=False)
        self.assertEqual((run.started(), run.saved()), (True, []))
        run.go("--lr", "1e-3")
        self.assertNotIn("changed_on_the_way", run.facts())

    def test_the_last_saved_state_can_be_finished_again_from_either(self):
        run = self.run_of().go()
        whole = run.result()
        self.assertEqual(run.saved(), [39, 40])
        for step in ("39", "40"):
            self.assertEqual(run.go("--from-step", step, resume=True).result(), whole)

    def test_other_options_and_data_are_refused_by_name(self):
        run = self.run_of("--lr", "1e-3").go()
        whole = run.result()
        self.assertEqual(run.go("--lr", "0.0010", "--data", self.tables["train"], "--threads", "1", "--save-every", "5", resume=True).result()[0], whole[0])
        self.refused(run, "lr 0.001, not 0.01", "--lr", "1e-2")
        self.refused(run, ("seed 1, not 2", "batch 8, not 9"), "--seed", "2", "--batch", "9")
        self.refused(run, "method bitfit, not full", "--method", "full")
        self.refused(run, "steps 40, not 50", "--steps", "50")
        self.refused(run, "patience not given, not 3", "--patience", "3")
        self.refused(run, ("other data", "dev="), "--dev", self.tables["test"])
        self.refused(run, "saved: 39, 40", "--from-step", "12", status=3)
        moved = os.path.join(self.root, "moved.tsv")
        write(moved, read(self.tables["train"]))
        self.assertEqual(run.go("--data", moved, resume=True).result()[0], whole[0])
        fresh = self.run_of()
        self.refused(fresh, "nothing is saved", status=3)
        self.assertNotEqual(run.go("--restart", "--seed", "2").result()[0], whole[0])

    def test_paths_are_right_in_another_directory(self):
        names = {split: os.path.basename(path) for split, path in self.tables.items()}
        run = self.run_of("--log", "log.jsonl")
        run.test = type("Test", (), {"__getattr__": lambda _, name: getattr(self, name), "tables": names})()
        run.go(cwd=self.root)
        whole = run.result()
        run.go(resume=True, cwd="/")
        self.assertEqual(run.result()[0], whole[0])
        self.assertEqual(read(self.root, "log.jsonl"), read(run.folder, "train.jsonl"))

    def test_damage_is_refused_and_the_older_state_is_taken_only_on_request(self):
        run = self.run_of().go()
        whole = run.result()
        path = os.path.join(run.folder, "state-40")
        good = read(path, mode="rb")
        for at in (3, 20, 40, len(good) // 2, len(good) - 1):
            with open(path, "wb") as file:
                file.write(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            self.refused(run, ("state-40", "--from-step 39"), status=7 if 8 <= at < 12 else 4)
        with open(path, "wb") as file:
            file.write(good[:1000])
        self.refused(run, "--from-step 39", status=4)
        self.assertEqual(run.go("--from-step", "39", resume=True).result(), whole)
        record = read(run.folder, "run.json")
        for bad in ("", "{}", record[:-1], record.replace('"v":1', '"v":2')):
            write(os.path.join(run.folder, "run.json"), bad)
            self.refused(run, "run.json", status=7 if '"v":2' in bad else 4)
        write(os.path.join(run.folder, "run.json"), record.replace('"seed":["1"]', '"seed":["2"]'))
        self.refused(run, "another run", status=4)

    def test_a_loss_that_is_not_finite_stops_at_the_last_good_state(self):
        run = self.run_of("--warmup", "0", "--lr", "1e30", "--clip", "0", method=("full",), save_every=1)
        self.refused(run, ("not finite at step", "--lr"), resume=False)
        if run.saved():
            self.assertIn(f"after step {run.saved()[-1]}", run.stderr)
        facts = run.go("--lr", "1e-3", resume=True).facts()
        self.assertIn("lr 1e+30, not 0.001", facts["changed_on_the_way"])
        self.assertEqual(facts["lr"], "0.001")

    def test_two_at_once_are_refused(self):
        run = self.run_of(steps=100000)
        process = subprocess.Popen(run.command(), stderr=subprocess.PIPE, text=True)
        process.stderr.readline()
        self.refused(run, "at work", status=6)
        process.kill()
        process.communicate()

    def test_patience_and_what_is_kept(self):
        run = self.run_of("--patience", "1", "--min-delta", "1", "--keep", "last").go()
        facts = run.facts()
        self.assertEqual((facts["stopped_early"], facts["kept"]), ("14", "last"))
        self.assertIn("no improvement", run.stderr)
        dev = {row["metric"]: row["value"] for row in run.result()[2] if row["split"] == "dev"}
        self.assertEqual(float(facts["dev_last"]), round(float(dev["accuracy"]), 4))
        self.assertGreaterEqual(float(facts["dev_best"]), float(facts["dev_last"]))

    def test_a_config_file_gives_options_and_the_command_line_wins(self):
        config = os.path.join(self.root, "config.yaml")
        write(config, "method: bitfit\nlr: 2e-3\nsteps: 6\nset: []\nbatch: 8\n")
        out = self.run_of("--config", config, "--lr", "1e-3", method=("full",), steps=5).go().facts()
        self.assertEqual((out["method"], out["lr"], out["steps"]), ("full", "0.001", "5"))
        plain = Run(self, "--config", config, "--epochs", "1", "--method", "diff-pruning", "--set", "alpha_init=3")
        write(config, "density: 2%\nset:\n  - gate_lr=0.2\n  - alpha_init=4\n")
        self.assertEqual(plain.go().facts()["set.alpha_init"], "3")
        again = os.path.join(self.root, "again.json")
        write(again, plain.facts()["config"])
        recorded = plain.result()
        same = Run(self, "--config", again).go()
        self.assertEqual(same.result(), recorded)
        for text, says in (("metod: full\n", ("config.yaml, line 1", "did you mean method?")), ("lr: [1, 2\n", "config.yaml"), ("- 3\n", "config.yaml"),
                           ("lr: {a: 1}\n", "lr"), ("quiet: true\n", "unknown key"), ("lr: much\n", "lr")):
            write(config, text)
            self.refused(Run(self, "--config", config), says, resume=False)
        self.refused(Run(self, "--config", config + "x"), "config.yamlx", resume=False, status=3)

    def test_a_full_disk_ends_the_run_with_a_line_and_it_goes_on_with_more_room(self):
        whole = self.run_of(method=("full",)).go().result()
        run = self.run_of(method=("full",))
        for size in (1000, 200_000):
            resume = run.started()
            done = subprocess.run(run.command(resume=resume), capture_output=True, text=True, timeout=TIMEOUT,
                                  preexec_fn=lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
            self.assertEqual(done.returncode, 8, done.stderr)
            errors = [line for line in done.stderr.splitlines() if line.startswith("dstore: ")]
            self.assertEqual(len(errors), 1, done.stderr)
            self.assertEqual([name for name in os.listdir(run.folder) if name.startswith(".tmp-")], [])
        run.go(resume=True)
        self.assertEqual(run.result(), whole)


if __name__ == "__main__":
    unittest.main()
