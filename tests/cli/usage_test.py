"""Help, options, exit statuses and errors of the command line itself."""
import subprocess
import unittest

from sandbox import CONFLICT, DONE, FINDINGS, IO, NOT_FOUND, REMOTE, UNSUPPORTED, UNTRUSTED, USAGE, Case

COMMANDS = ["init", "import", "train", "commit", "checkout", "eval", "predict", "sparsify", "merge", "rebase", "status", "log", "query", "show", "diff", "stats", "compare", "tasks", "branch", "tag",
            "verify", "fsck", "cat", "remote", "push", "fetch", "pull", "clone", "key", "reset", "du", "gc", "repack", "forget"]


class UsageTest(Case):
    def test_help_lists_every_command_and_the_exit_statuses(self):
        help_text = self.run_plain("--help")
        self.assertEqual(help_text.code, DONE, str(help_text))
        for command in COMMANDS:
            self.assertRegex(help_text.text, rf"(?m)^  {command} ")
        self.assertIn("Exit status:", help_text.text)
        self.assertIn("130", help_text.text)

    def test_every_command_explains_itself_with_an_example(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = self.run_plain(command, "--help")
                self.assertEqual(result.code, DONE, str(result))
                self.assertIn(f"dstore {command}", result.text)
                self.assertIn("Example", result.text)
                self.assertEqual(result.err, "")
                for option in ("-C", "--json", "-q,--quiet"):
                    if command not in ("train", "eval", "predict"):
                        self.assertIn(option, result.text)

    def test_version_names_what_it_was_built_with(self):
        result = self.run_plain("--version")
        self.assertEqual(result.code, DONE)
        self.assertRegex(result.text, r"^dstore \d+\.\d+\.\d+\n")
        for word in ("SQLite", "LZ4", "xxHash", "OpenSSL"):
            self.assertIn(word, result.text)

    def test_unknown_words_get_a_suggestion(self):
        self.make_store()
        for words, hint in ((["chekcout", "base"], "checkout"), (["lgo"], "log"), (["show", "bsae"], "did you mean base"),
                            (["checkout", "base+tsak", "-o", "x"], "did you mean task"), (["nothing-like-it"], "--help")):
            with self.subTest(words):
                self.check_error(self.run_in(*words), None, hint)

    def test_wrong_usage_is_one_line_and_status_2(self):
        self.make_store()
        for words in ([], ["--nonsense"], ["log", "--nonsense"], ["log", "-n", "many"], ["log", "-n", "-1"], ["import"], ["import", self.base],
                      ["commit"], ["commit", self.task, "-m", "x"], ["commit", self.task, "--base", "base", "--name", "t", "-m", ""],
                      ["commit", self.task, "--base", "base", "--name", "t", "-m", b"\xff"], ["log", "--sort", "nonsense"], ["log", "--group-by", "nonsense"], ["log", "--since", "yesterday-ish"], ["log", "--since", "2026-02-31"],
                      ["log", "--density", "much"], ["log", "--metric", "acc>="], ["log", "--metric", "nonsense"], ["log", "--method", "nonsense"], ["query"],
                      ["query", "SELECT 1", "--json", "--csv"], ["commit", self.task, "--base", "base", "-m", "x"],
                      ["commit", self.task, "--base", "base", "--name", "t", "-m", "x", "--dtype", "wide"],
                      ["checkout"], ["checkout", "base"], ["show"], ["diff", "base"], ["cat"], ["tag", "v1"], ["branch", "b"],
                      ["remote", "add"], ["remote", "add", "origin"], ["remote", "frobnicate", "x"], ["key", "frobnicate"], ["clone"], ["clone", "a"],
                      ["show", "base+task"], ["show", "base~x~"], ["show", "a b"], ["show", ""], ["show", "+"], ["show", "base@{"], ["show", "base@{0"],
                      ["log", "x", "y\nz"], ["y\nz"], ["show", "y\nz"], ["train"], ["train", "base"]):
            with self.subTest(words):
                self.check_error(self.run_in(*words), USAGE)

    def test_output_that_cannot_be_written_is_an_error(self):
        self.make_store()
        for words in (["cat", "task"], ["log"], ["show", "task"], ["log", "--json"]):
            with self.subTest(words), open("/dev/full", "wb") as full:
                done = subprocess.run(self.command(words), env=self.environment(), stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, IO)
                self.assertRegex(done.stderr.decode(), r"\Adstore: standard output [^\n]+\n\Z")

    def test_a_fixed_time_makes_the_same_commits(self):
        self.make_store()
        ids = set()
        for name in ("r1", "r2"):
            self.repo = self.root / name
            self.run_plain("init", self.repo)
            fixed = self.environment(SOURCE_DATE_EPOCH="1700000000")
            self.ok("import", self.base, "--name", "base", "-m", "the base", env=fixed)
            self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "a task", env=fixed)
            ids.add(self.ok("show", "task", "--json").json["id"])
        self.assertEqual(len(ids), 1)
        for wrong in ("", "abc", "-5", "1 ", "99999999999999999999"):
            self.fails(USAGE, "import", self.base, "--name", "late", env=self.environment(SOURCE_DATE_EPOCH=wrong), says="SOURCE_DATE_EPOCH")

    def test_exit_statuses_follow_the_table(self):
        self.make_store()
        self.fails(NOT_FOUND, "show", "nobody", says="nobody")
        self.fails(NOT_FOUND, "cat", "0" * 64)
        self.fails(NOT_FOUND, "show", "base~9", says="history ends")
        self.fails(NOT_FOUND, "import", self.root / "missing", "--name", "x", says="missing")
        self.fails(NOT_FOUND, "commit", self.root / "missing", "--base", "base", "--name", "x", "-m", "x", says="missing")
        self.fails(NOT_FOUND, "commit", "-m", "x", says="staged")
        self.fails(NOT_FOUND, "tag", "-d", "v9")
        self.fails(NOT_FOUND, "push")
        self.fails(NOT_FOUND, "push", "upstream")
        self.fails(CONFLICT, "branch", "task", "base", says="exists")
        self.fails(CONFLICT, "commit", self.task, "--base", "base", "--name", "base", "-m", "x")
        self.fails(CONFLICT, "init", self.repo)
        self.ok("remote", "add", "far", "https://example.org/models")
        self.fails(UNSUPPORTED, "fetch", "far", says="only folders")
        self.fails(CONFLICT, "checkout", "base+task+task", "-o", self.root / "x", says="heads")
        self.assertEqual(self.run_in("diff", "base", "base").code, DONE)
        self.assertEqual(self.run_in("diff", "base", "task").code, FINDINGS)
        self.ok("remote", "add", "gone", self.root / "gone")
        self.fails(REMOTE, "fetch", "gone")
        self.check_error(self.run_plain("log", cwd="/"), NOT_FOUND, "dstore init")
        self.check_error(self.run_plain("-C", self.root / "nowhere", "log"), NOT_FOUND)
        self.assertEqual(list(self.root.glob("x")), [])

    def test_an_untrusted_signer_is_refused(self):
        self.make_store()
        stranger = self.environment(DSTORE_CONFIG_HOME=str(self.root / "stranger"))
        self.assertEqual(self.run_plain("key", "new", env=stranger).code, DONE)
        self.fails(UNTRUSTED, "checkout", "task", "-o", self.root / "out", env=stranger, says="SHA256:")
        self.assertFalse((self.root / "out").exists())
        shown = self.ok("show", "task", "--json", env=stranger).json
        self.assertNotEqual(shown["signature"]["verdict"], "good")
        self.ok("key", "trust", self.user / "id_ed25519.pub", "--as", "ada@example.org", env=stranger)
        self.ok("checkout", "task", "-o", self.root / "out", env=stranger)
        self.assert_model(self.root / "out", self.task)

    def test_without_a_key_a_commit_is_refused_unless_it_is_to_be_unsigned(self):
        self.make_store()
        nobody = self.environment(DSTORE_CONFIG_HOME=str(self.root / "nobody"))
        other = self.tiny_task(self.base, "other")
        words = ["commit", other, "--base", "base", "--name", "other", "-m", "x"]
        self.fails(NOT_FOUND, *words, env=nobody, says="key new")
        self.fails(UNTRUSTED, *words, "--no-sign", env=nobody)
        self.ok("key", "trust", self.user / "id_ed25519.pub", "--as", "ada@example.org", env=nobody)
        self.ok(*words, "--no-sign", env=nobody)
        self.assertIn("unsigned", self.ok("checkout", "other", "-o", self.root / "out", env=nobody).text)
        self.assertIn("unsigned", self.ok("log", "other").text)

    def test_names_that_try_to_leave_the_folder_are_refused(self):
        self.make_store()
        before = {path.name for path in self.root.iterdir()}
        for name in ("../x", "/x", "..", ".", "a/../b", "a//b", "a/", ".lock", "a.lock", "-x", "a b", "a+b", "a~1", "a^", "a:b", "a*", "a@{1}",
                     "a\\b", "ä", "a\nb", "%2e", "x" * 300, "(a)", "a,b"):
            with self.subTest(name):
                for words in (["import", self.base, f"--name={name}"], ["commit", self.task, "--base", "base", "-m", "x", f"--name={name}"],
                              ["branch", "--", name, "base"], ["tag", "--", name, "base"]):
                    self.check_error(self.run_in(*words), USAGE)
                self.assertNotIn(self.run_in("remote", "add", "--", name, self.root / "r").code, (DONE, FINDINGS))
        self.assertEqual({path.name for path in self.root.iterdir()}, before)
        self.assert_verifies()

    def test_quiet_prints_nothing(self):
        self.make_store()
        self.ok("remote", "add", "origin", self.root / "remote")
        other = self.tiny_task(self.base, "other")
        for words in (["init", self.root / "r2"], ["import", self.base, "--name", "b2"], ["commit", other, "--base", "base", "--name", "other", "-m", "x"],
                      ["checkout", "base+task", "-o", self.root / "out"], ["status"], ["status", self.root / "out"], ["branch"], ["branch", "b3", "base"],
                      ["tag", "v1", "base"], ["log"], ["log", "--group-by", "method"], ["query", "SELECT 1"], ["query", "--schema"], ["show", "task"], ["stats", "task"], ["tasks"], ["verify"], ["push"], ["fetch"], ["pull"],
                      ["clone", self.root / "remote", self.root / "r3"], ["key", "list"], ["remote"]):
            with self.subTest(words):
                result = self.ok("-q", *words)
                self.assertEqual((result.out, result.err), (b"", ""))

    def test_dash_c_and_the_folder_above_find_the_repository(self):
        self.make_store()
        (self.repo / "deep" / "er").mkdir(parents=True)
        here = self.run_plain("branch", cwd=self.repo / "deep" / "er")
        self.assertEqual(here.code, DONE)
        self.assertEqual(here.out, self.run_plain("-C", self.repo, "branch").out)
        self.assertEqual(here.out, self.run_plain("branch", "-C", "repo").out)
        self.assertEqual(self.run_plain("-C", "repo", "checkout", "task", "-o", "out").code, DONE)
        self.assert_model(self.repo / "out", self.task)

    def test_output_to_a_pipe_has_no_colour_and_log_fits_80_columns(self):
        self.make_store()
        for words in (["log", "--graph"], ["log"], ["show", "task"], ["branch"], ["tasks"]):
            result = self.ok(*words)
            self.assertNotIn("\x1b", result.text)
            self.assertNotIn("\r", result.err)
        for line in self.ok("log", "--graph", "--all").text.splitlines():
            self.assertLessEqual(len(line), 80, line)


if __name__ == "__main__":
    unittest.main()
