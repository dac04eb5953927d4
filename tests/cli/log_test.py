"""`dstore log`: filters, order and groups; damaged refs."""
import unittest

from sandbox import CORRUPT, DONE, NOT_FOUND, TRAINING, USAGE, Case

DAY = 86_400
NOW = 1_790_000_000  # 2026-09-21 14:13:20 UTC


class LogTest(Case):
    """base and task (from a folder, 90 days old), then three trained tasks, one of them unsigned, on two branches."""

    def setUp(self):
        super().setUp()
        early = self.environment(SOURCE_DATE_EPOCH=str(NOW - 90 * DAY))
        self.base = self.tiny_base()
        self.task = self.tiny_task(self.base)
        self.run_plain("init", self.repo)
        self.ok("import", self.base, "--name", "base", "-m", "the base", env=early)
        self.ok("commit", self.task, "--base", "base", "--name", "task", "-m", "a task", env=early)
        for name, accuracy, age, method, density in (("topic", "0.75", 30, "diff-pruning", "0.005"), ("topic", "0.93", 10, "diff-pruning", "0.01"),
                                                     ("en/verb", "0.81", 3, "bitfit", "")):
            training = {**TRAINING, "method": method, **({"density": density} if density else {})}
            if not density:
                del training["density"]
            self.stage(name, name.replace("/", "%2f"), accuracy=accuracy, training=training)
            self.ok("commit", name, "-m", f"{name} {accuracy}", *(["--no-sign"] if name == "en/verb" else []),
                    env=self.environment(SOURCE_DATE_EPOCH=str(NOW - age * DAY)))
        self.env = self.environment(SOURCE_DATE_EPOCH=str(NOW))

    def messages(self, *words):
        return [row["message"] for row in self.ok("log", *words, "--json", env=self.env).json]

    def test_filters_choose(self):
        everything = ["en/verb 0.81", "topic 0.93", "topic 0.75", "a task", "the base"]
        trained = everything[:3]
        self.assertEqual(self.messages(), everything)
        for words, expected in ((["--method", "diff-pruning"], trained[1:]), (["--method", "diff-*,bitfit"], trained), (["--method", "base"], ["the base"]),
                                (["--method", "folder"], ["a task"]), (["--method", "*,!base"], everything[:4]),
                                (["--task", "topic"], trained[1:]), (["--task", "en/*"], trained[:1]), (["--task", "task"], ["a task"]),
                                (["--density", "0.5%"], ["topic 0.75"]), (["--density", "0.01"], ["topic 0.93"]), (["--density", ">0.5%"], None),
                                (["--density", "0.4%..1.2%", "--method", "diff-*"], trained[1:]), (["--density", "<=0.5%", "--method", "diff-pruning"], ["topic 0.75"]),
                                (["--metric", "accuracy>=0.8"], trained[:2]), (["--metric", "acc >= 81%"], trained[:2]), (["--metric", "acc<0.8"], ["topic 0.75"]),
                                (["--metric", "test:accuracy=0.93"], ["topic 0.93"]), (["--metric", "dev:accuracy>0"], []), (["--metric", "accuracy"], trained),
                                (["--metric", "acc>0.75", "--metric", "acc!=0.93"], ["en/verb 0.81"]),
                                (["--since", "2w"], trained[:2]), (["--since", "5d"], trained[:1]), (["--since", "2mo"], trained), (["--since", "1h"], []),
                                (["--since", "2026-09-01"], trained[:2]), (["--since", "2026-09-11T14:13:20"], trained[:2]),
                                (["--since", "2026-09-11 14:13:21"], trained[:1]), (["--since", "1y"], everything),
                                (["--signer", "unsigned"], ["en/verb 0.81"]), (["--signer", "*@*"], everything[1:]),
                                (["--base", "base"], everything[:4]), (["--base", "topic"], everything[:4]),
                                (["--sort", "-accuracy", "-n", "1"], ["topic 0.93"]), (["--sort", "acc", "--metric", "acc>0"], [trained[2], trained[0], trained[1]]),
                                (["--sort", "-accuracy", "-n", "1", "--method", "bitfit"], ["en/verb 0.81"]),
                                (["topic", "--since", "2mo"], trained[1:]), (["-n", "2", "--method", "*"], everything[:2])):
            with self.subTest(words):
                if expected is not None:
                    self.assertEqual(self.messages(*words), expected)
        self.assertIn("topic 0.93", self.messages("--density", ">0.5%"))
        signer = next(row["signature"] for row in self.ok("log", "base", "--json").json)
        for name in (signer["principal"], signer["principal"].split("@")[0], signer["fingerprint"]):
            self.assertEqual(self.messages("--signer", name), everything[1:])

    def test_filters_with_lines_and_blocks(self):
        text = self.ok("log", "--oneline", "--method", "bitfit", env=self.env).text
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn("bitfit", text)
        self.assertNotIn("*", self.ok("log", "--graph", "--method", "diff-pruning", env=self.env).text)  # no lanes through what is left out
        nothing = self.ok("log", "--since", "1h", env=self.env)
        self.assertEqual((nothing.text, "no commit fits" in nothing.err), ("", True))
        self.assertEqual(self.ok("log", "--since", "1h", "--json", env=self.env).json, [])

    def test_bad_filters_say_what_there_is(self):
        for words, says in ((["--method", "diff-prunning"], "did you mean diff-pruning?"), (["--method", "xyz"], "there is base, bitfit"),
                            (["--task", "topics"], "did you mean topic?"), (["--metric", "acuracy>0.9"], "did you mean accuracy?"),
                            (["--metric", "accuracy>=high"], "'accuracy>=0.9'"), (["--density", "150%"], "'<=1%'"), (["--density", "a..b"], "0.1%..1%"),
                            (["--since", "last week"], "2w"), (["--signer", "nobody"], "unsigned"), (["--group-by", "methods"], "did you mean method?"),
                            (["--group-by", "size"], "there is task, method"), (["--sort", "acuracy"], "did you mean accuracy?")):
            with self.subTest(words):
                self.fails(USAGE, "log", *words, says=says)
        self.fails(NOT_FOUND, "log", "--base", "bse", says="did you mean base?")

    def test_groups(self):
        def groups(*words):
            return {row["group"]: row for row in self.ok("log", *words, "--json", env=self.env).json}
        tasks = groups("--group-by", "task")
        self.assertEqual(list(tasks), ["en/verb", "topic", "task", "(bases)"])
        topic = tasks["topic"]
        self.assertEqual((len(topic["commits"]), topic["metric"], topic["least"], topic["greatest"], topic["newest"]),
                         (2, "accuracy", 0.75, 0.93, NOW - 10 * DAY))
        sizes = {row["id"]: row["sizes"]["stored_bytes"] for row in self.ok("log", "--json").json}
        self.assertEqual(topic["stored_bytes"], sum(sizes[commit] for commit in topic["commits"]))
        self.assertIsNone(tasks["task"]["metric"])
        self.assertEqual(list(groups("--group-by", "task", "--sort", "-accuracy", "-n", "2")), ["topic", "en/verb"])
        self.assertEqual(set(groups("--group-by", "method")), {"base", "folder", "diff-pruning", "bitfit"})
        self.assertEqual(list(groups("--group-by", "base")), ["base"])
        self.assertIn("(unsigned)", groups("--group-by", "signer"))
        self.assertEqual(list(groups("--group-by", "author")), ["Ada <ada@example.org>"])
        self.assertIn("0.50 %", groups("--group-by", "density"))
        text = self.ok("log", "--group-by", "task", env=self.env).text
        self.assertRegex(text, r"(?m)^topic +2 .* accuracy 0\.75 \.\. 0\.93 +10 days ago$")

    def test_a_damaged_ref_hides_no_other(self):
        entry = next((self.repo / ".dstore" / "refs" / "topic").iterdir())
        good = entry.read_bytes()
        whole = {words: self.ok(*words).text for words in (("branch",), ("log", "--oneline"), ("tasks",))}
        entry.chmod(0o644)
        for bad in (b"", good[:-20], good.replace(b'"sequence":', b'"sequense":')):
            entry.write_bytes(bad)
            for words in whole:
                result = self.run_in(*words)
                self.assertEqual(result.code, CORRUPT, str(result))
                self.assertEqual(len(result.err.splitlines()), 1, str(result))
                self.assertIn("topic", result.err)
                self.assertIn("task", result.text)
                self.assertNotIn("topic", result.text.replace("topic 0", ""))
            self.assertEqual(self.run_in("status").code, CORRUPT)
            self.assertEqual(self.run_in("query", "SELECT name FROM refs").code, CORRUPT)
            self.fails(CORRUPT, "show", "topic", says="topic")
            self.assertEqual(self.run_in("verify").code, CORRUPT)
        entry.write_bytes(good)
        for words, text in whole.items():
            self.assertEqual(self.ok(*words).text, text)
        self.assertEqual(self.run_in("verify").code, DONE)


if __name__ == "__main__":
    unittest.main()
