"""`dstore eval --record`: evaluations that stay with a commit. What was measured comes from a file, as another program leaves it."""
import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import unittest

from sandbox import CORRUPT, DONE, NOT_FOUND, USAGE, Case

SPEC = pathlib.Path(__file__).resolve().parents[2] / "spec"
NOW = 1_790_000_000


class EvalCase(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.data = self.root / "test.tsv"
        self.data.write_text("text\tlabel\na\t0\n")
        self.digest = hashlib.sha256(self.data.read_bytes()).hexdigest()

    def measurement(self, name="m.json", **members):
        path = self.root / name
        path.write_text(json.dumps({"data": str(self.data), "n": 5000, "metrics": {"accuracy": 0.75, "macro_f1": 0.7123456789}, **members}))
        return path

    def record(self, *words, revision="task", at=0, **members):
        options = {"env": self.environment(SOURCE_DATE_EPOCH=str(NOW + at))}
        return self.ok("eval", revision, "--record", "--from", self.measurement(**members), *words, "--json", **options).json

    def listed(self, *words):
        return self.ok("eval", "--list", *words, "--json").json

    def query(self, sql):
        return self.ok("query", sql, "--json").json

class RecordTest(EvalCase):
    def test_what_is_recorded_is_shown_everywhere(self):
        made = self.record(environment={"device": "cpu", "who": "trainer"})
        head = self.ok("show", "task", "--json").json
        self.assertEqual(made["commit"], head["id"])
        self.assertEqual((made["commits"], made["revision"], made["split"], made["data"], made["data_sha256"], made["n"]),
                         ([head["id"]], head["id"], "test", "test.tsv", self.digest, 5000))
        self.assertEqual(made["metrics"], [{"name": "accuracy", "value": 0.75}, {"name": "macro_f1", "value": 0.7123456789}])
        self.assertEqual(made["environment"], {"device": "cpu", "who": "trainer"})
        self.assertEqual((made["evaluator"], made["time"], made["signature"]["verdict"]), ("Ada <ada@example.org>", NOW, "good"))
        without_model = {key: value for key, value in made.items() if key != "model"}
        self.assertEqual(head["evaluations"], [without_model])
        self.assertEqual(self.listed(), [without_model])
        self.assertEqual(self.listed("task"), [without_model])
        for words in (["show", "task"], ["log"], ["log", "--oneline"], ["log", "--graph"], ["tasks"], ["eval", "--list"], ["compare", "task", "base"]):
            with self.subTest(words):
                text = self.ok(*words).text
                self.assertIn("acc", text)
                self.assertIn("0.75", text)
        self.assertEqual(self.ok("show", "base", "--json").json["evaluations"], [])
        rows = self.query("SELECT commit_id, name, value, text, n, data, data_sha256, split, verdict, environment->>'device' AS device FROM evaluations ORDER BY name")
        self.assertEqual([(row["name"], row["value"], row["text"]) for row in rows], [("accuracy", 0.75, "0.75"), ("macro_f1", 0.7123456789, "0.7123456789")])
        self.assertEqual({(row["commit_id"], row["n"], row["data_sha256"], row["split"], row["verdict"], row["device"]) for row in rows},
                         {(head["id"], 5000, self.digest, "test", "good", "cpu")})
        self.assertEqual(self.query("SELECT metric, value FROM commits WHERE task = 'task'"), [{"metric": "accuracy", "value": 0.75}])
        self.assert_verifies()
        self.assertIn("1 evaluation", self.ok("verify").text)
        self.assertIn("1 evaluation", self.ok("fsck").text)

    def test_the_newest_of_the_same_measurement_is_shown_and_both_are_kept(self):
        for at, accuracy in ((0, 0.5), (20, 0.75), (10, 0.625)):
            self.record(at=at, metrics={"accuracy": accuracy})
        self.assertEqual([row["metrics"][0]["value"] for row in self.listed("task")], [0.75, 0.625, 0.5])
        self.assertIn("0.75", self.ok("log", "--oneline").text)
        self.assertEqual(self.query("SELECT value FROM commits WHERE task = 'task'"), [{"value": 0.75}])
        compared = self.ok("compare", "task", "base", "--json").json["metrics"]
        self.assertEqual([row["values"][0]["value"] for row in compared], ["0.75"])
        self.record(at=30, metrics={"accuracy": 0.1}, data="other.tsv", data_sha256="ab" * 32, split="test")
        self.assertEqual(len(self.ok("compare", "task", "base", "--json").json["metrics"]), 2)
        self.assertEqual(self.query("SELECT count(*) AS n FROM evaluations"), [{"n": 4}])
        text = self.ok("log").text
        self.assertEqual(text.count("Evaluated:"), 3)
        self.assertIn("and 1 more", text)

    def test_the_same_again_at_the_same_second_is_one_object(self):
        self.assertEqual(self.record()["id"], self.record()["id"])
        self.assertEqual(len(self.listed()), 1)

    def test_what_training_measured_stays_until_it_is_measured_again(self):
        self.stage("topic", accuracy="0.93")
        self.ok("commit", "topic", "-m", "trained")
        self.record(revision="topic", metrics={"accuracy": 0.5})  # on other data
        self.assertEqual(self.query("SELECT value FROM commits WHERE task = 'topic'"), [{"value": 0.93}])
        self.record(revision="topic", at=1, data="t", data_sha256="ab" * 32, split="test", metrics={"accuracy": 0.25})
        self.assertEqual(self.query("SELECT value FROM commits WHERE task = 'topic'"), [{"value": 0.25}])
        self.assertEqual(self.query("SELECT text FROM metrics"), [{"text": "0.93"}])
        self.assertEqual([row["message"] for row in self.ok("log", "--metric", "accuracy<0.3", "--json").json], ["trained"])

    def test_filters_by_data(self):
        self.record()
        for typed in (self.data, self.digest, self.digest[:6]):
            self.assertEqual([row["message"] for row in self.ok("log", "--data", typed, "--json").json], ["a task"])
        self.fails(USAGE, "log", "--data", "ffffffff", says="no commit here")
        self.fails(USAGE, "log", "--data", "nowhere.tsv", says="no such file")
        self.assertEqual([row["message"] for row in self.ok("log", "--sort", "-macro_f1", "--json").json][0], "a task")
        self.assertEqual(self.ok("log", "--group-by", "task", "--json").json[0]["metric"], "accuracy")

    def test_base_and_task_is_the_task_and_a_sum_is_of_no_commit(self):
        other = self.tiny_task(self.base, "other", 5)
        self.ok("commit", other, "--base", "base", "--name", "other", "-m", "another")
        ids = {name: self.ok("show", name, "--json").json["id"] for name in ("base", "task", "other")}
        made = self.record(revision="base+task")
        self.assertEqual((made["commit"], made["commits"], made["revision"]),
                         (ids["task"], sorted([ids["base"], ids["task"]]), f"{ids['base']}+{ids['task']}"))
        made = self.record(revision="base+0.5*task - other", at=1)
        self.assertEqual((made["commit"], made["commits"]), (None, sorted(ids.values())))
        self.assertEqual(made["revision"], f"{ids['base']}+0.5*{ids['task']} - {ids['other']}")
        self.assertEqual(len(self.ok("show", "task", "--json").json["evaluations"]), 1)
        self.assertEqual(len(self.listed("task")), 2)
        self.assertEqual([row["commit"] for row in self.listed("base+0.5*task - other")], [None])
        self.assertEqual(self.listed("base+0.25*task - other"), [])
        self.assertEqual(self.listed("other")[0]["id"], made["id"])
        self.assertIn("computed", self.ok("eval", "--list").text)
        self.assertEqual(self.query("SELECT DISTINCT commit_id FROM evaluations WHERE commit_id IS NULL"), [{"commit_id": None}])

    def test_what_is_refused_is_said_in_one_line_and_nothing_is_stored(self):
        cases = [(USAGE, ["eval", "--record"], "say what to measure"), (USAGE, ["eval", "--record", "task", "--from", self.measurement(), "x.tsv"], "x.tsv"),
                 (USAGE, ["eval", str(self.task), "--record", "--from", self.measurement()], "is a folder"),
                 (USAGE, ["eval", "./", "--record", "--from", self.measurement()], "is a folder"),
                 (NOT_FOUND, ["eval", "tsk", "--record", "--from", self.measurement()], "did you mean task"),
                 (NOT_FOUND, ["eval", "task", "--record", "--from", self.root / "none.json"], "none.json"),
                 (USAGE, ["eval", "task", "--split", "dev"], "--record"), (USAGE, ["eval", "task", "--from", "x"], "--record"),
                 (USAGE, ["eval", "--list", "--record"], "--list"), (USAGE, ["eval", "--list", "task", "base"], "--list"), (NOT_FOUND, ["eval", "--list", "tsk"], "task")]
        for code, words, says in cases:
            with self.subTest(words):
                self.fails(code, *words, says=says)
        for name, members, says in (("nan", {"metrics": {"accuracy": "nan"}}, "accuracy"), ("word", {"metrics": {"accuracy": "high"}}, "no number"),
                                    ("huge", {"metrics": {"loss": 1e300}}, "loss"), ("true", {"metrics": {"accuracy": True}}, "accuracy"), ("none", {"metrics": {}}, "metrics"),
                                    ("list", {"metrics": [1]}, "metrics"), ("n", {"n": 0}, "\"n\""), ("text n", {"n": "5"}, "\"n\""), ("gone", {"data": "gone.tsv"}, "gone.tsv"),
                                    ("digest", {"data_sha256": "xyz"}, "data_sha256"), ("no data", {"data": ""}, "data"), ("unnamed", {"metrics": {"": 1}}, "metric"),
                                    ("environment", {"environment": {"batch": 64}}, "batch"), ("large", {"environment": {"x": "y" * 70000}}, "65,536")):
            with self.subTest(name):
                result = self.run_in("eval", "task", "--record", "--from", self.measurement(**members))
                self.check_error(result, None, says)
        for content in ("", "[]", "nonsense", "{", "1"):
            (self.root / "bad.json").write_text(content)
            self.fails(USAGE, "eval", "task", "--record", "--from", self.root / "bad.json", says="bad.json")
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.query("SELECT count(*) AS n FROM evaluations"), [{"n": 0}])

    def test_texts_of_strangers_do_no_harm(self):
        made = self.record("--author", "Eve \x1b[31m", "--split", "a\nb", data="x\x1b]0;y\x07.tsv", data_sha256="cd" * 32, metrics={"m\r\x1b[2J": 1})
        self.assertEqual((made["split"], made["evaluator"]), ("a\nb", "Eve \x1b[31m"))
        for words in (["show", "task"], ["log"], ["log", "--oneline"], ["eval", "--list"], ["compare", "task", "base"]):
            self.assertNotIn("\x1b", self.ok(*words).text)

    def test_unsigned_ones_count_as_unsigned_commits_do(self):
        made = self.record("--no-sign")
        self.assertEqual(made["signature"]["verdict"], "unsigned")
        self.assertIn("0.75", self.ok("log", "--oneline").text)
        self.assertIn("1 evaluation (1 unsigned)", self.ok("verify").text)

    def test_a_key_that_is_not_trusted_any_more_is_not_believed(self):
        self.record()
        self.ok("log")  # the catalog knows it as good
        (self.user / "allowed_signers").write_text("")
        shown = self.ok("show", "task", "--json").json
        self.assertEqual(shown["evaluations"][0]["signature"]["verdict"], "untrusted key")
        self.assertNotIn("0.75", self.ok("log", "--oneline", "--json").text.split('"evaluations"')[0])
        self.assertEqual(self.query("SELECT metric FROM commits WHERE task = 'task'"), [{"metric": None}])
        result = self.run_in("verify")
        self.assertNotEqual(result.code, DONE)
        self.assertIn("evaluation", result.text)

    @unittest.skipUnless(shutil.which("ssh-keygen"), "no ssh-keygen")
    def test_ssh_keygen_confirms_it(self):
        made = self.record()
        reader = "import sys; sys.path.insert(0, sys.argv[1]); from reader.repository import Repository; r = Repository(sys.argv[2]); i = bytes.fromhex(sys.argv[3]);" \
                 "s = next(s for s in r.store.ids('signature') if r.store.read('signature', s)[:32] == i); open(sys.argv[4], 'wb').write(r.store.read('evaluation', i));" \
                 "open(sys.argv[5], 'wb').write(r.store.read('signature', s)[32:])"
        content, blob = self.root / "evaluation.json", self.root / "blob"
        subprocess.run(["python3", "-c", reader, SPEC, self.repo, made["id"], content, blob], check=True)
        self.assertEqual(json.loads(content.read_bytes())["n"], 5000)
        armoured = b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(blob.read_bytes()) + b"-----END SSH SIGNATURE-----\n"
        (self.root / "sig").write_bytes(armoured)
        check = ["ssh-keygen", "-Y", "check-novalidate", "-n", "dstore-evaluation@v1", "-s", self.root / "sig"]
        done = subprocess.run(check, input=content.read_bytes(), capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        decode = subprocess.run(["python3", SPEC / "decode.py", self.repo], capture_output=True, text=True)
        self.assertEqual(decode.returncode, 0, decode.stderr)
        self.assertIn("evaluations: 1, 1 of them well signed", decode.stdout)


class UpkeepTest(EvalCase):
    def test_gc_and_repack_keep_it_as_long_as_its_commits(self):
        other = self.tiny_task(self.base, "other", 5)
        self.ok("commit", other, "--base", "base", "--name", "other", "-m", "another")
        self.record()
        self.record(revision="base+0.5*task+other", at=1)
        mine = self.record(revision="other", at=2)["id"]
        self.ok("gc")
        self.ok("repack")
        self.assertEqual(len(self.listed()), 3)
        self.ok("branch", "-d", "task")
        removed = self.ok("gc", "--json")
        self.assertEqual([row["id"] for row in self.listed()], [mine], str(removed))
        self.assert_verifies()
        self.assertEqual(self.query("SELECT DISTINCT id FROM evaluations"), [{"id": mine}])

    def test_forget_takes_it_along(self):
        self.record()
        self.ok("remote", "add", "origin", self.root / "remote")
        self.ok("push")
        self.ok("forget", "task", "--force")
        self.assertEqual(self.listed(), [])
        self.assert_verifies()
        self.ok("fetch")
        self.assertEqual(self.listed(), [])

    def test_the_index_is_made_anew_and_old_caches_do_not_matter(self):
        self.record()
        for name in ("index.db", "catalog.db"):
            (self.repo / ".dstore" / name).unlink(missing_ok=True)
        self.assertEqual(len(self.listed("task")), 1)
        self.assertIn("0.75", self.ok("log", "--oneline").text)
        self.ok("fsck", "--rebuild")
        self.ok("fsck", "--quick")
        self.assertEqual(len(self.listed("task")), 1)
        self.record(at=5, metrics={"accuracy": 0.875})  # after the catalog knew of one
        self.assertIn("0.875", self.ok("log", "--oneline").text)

    def test_a_damaged_one_is_found_hides_nothing_and_is_repaired(self):
        made = self.record()
        self.ok("remote", "add", "origin", self.root / "remote")
        self.ok("push")
        packs = sorted((self.repo / ".dstore" / "packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        content = packs[-1].read_bytes()
        at = content.index(bytes.fromhex(made["id"])) + 60
        packs[-1].unlink()
        packs[-1].write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
        found = self.run_in("fsck")
        self.assertEqual(found.code, CORRUPT, str(found))
        self.ok("log")
        self.ok("show", "task")
        self.ok("fsck", "--repair-from", "origin")
        self.assertEqual([row["id"] for row in self.listed()], [made["id"]])
        self.assert_verifies()


class TravelTest(EvalCase):
    def setUp(self):
        super().setUp()
        self.remote, self.clone = self.root / "remote", self.root / "clone"
        self.ok("remote", "add", "origin", self.remote)
        self.ok("push")
        self.assertEqual(self.run_plain("clone", self.remote, self.clone).code, DONE)

    def there(self, *words, **options):
        result = self.run_plain("-C", self.clone, *words, **options)
        self.assertEqual(result.code, DONE, str(result))
        return result

    def ids(self, *words):
        return {row["id"] for row in (self.there if words == ("clone",) else self.ok)("eval", "--list", "--json").json}

    def test_two_machines_end_with_the_union_though_no_branch_moves(self):
        mine = self.record()["id"]
        theirs = self.there("eval", "task", "--record", "--from", self.measurement("other.json", split="dev"), "--json").json["id"]
        sent = self.ok("push").text
        self.assertIn("1 evaluation", sent)
        self.assertIn("up to date", self.ok("push").text)
        self.assertIn("1 evaluation", self.there("push").text)
        self.there("fetch")
        self.assertEqual(self.ids("clone"), {mine, theirs})
        self.assertEqual(self.ok("fetch", "--json").json["evaluations"], 1)
        self.assertEqual(self.ids(), {mine, theirs})
        self.assertIn("up to date", self.ok("fetch").text)
        self.assert_verifies()
        again = self.root / "again"
        self.assertEqual(self.run_plain("clone", self.remote, again).code, DONE)
        self.assertEqual({row["id"] for row in self.run_plain("-C", again, "eval", "--list", "--json").json}, {mine, theirs})

    def test_it_travels_with_a_new_commit_and_not_before_it(self):
        other = self.tiny_task(self.base, "other", 5)
        self.ok("commit", other, "--base", "base", "--name", "other", "-m", "another")
        made = self.record(revision="other")["id"]
        self.ok("push", "origin", "task")
        self.there("fetch")
        self.assertEqual(self.ids("clone"), set())
        self.ok("push")
        self.there("pull")
        self.assertEqual(self.ids("clone"), {made})

    def test_a_stranger_s_evaluation_is_left_and_the_commits_are_taken(self):
        stranger = self.environment(DSTORE_CONFIG_HOME=str(self.root / "eve"), DSTORE_AUTHOR="Eve <eve@example.org>")
        self.assertEqual(self.run_plain("key", "new", env=stranger).code, DONE)
        fingerprint = next(row["fingerprint"] for row in self.ok("key", "list", "--json").json if row["own"])
        theirs = self.root / "theirs"
        self.assertEqual(self.run_plain("clone", self.remote, theirs, "--trust", fingerprint, env=stranger).code, DONE)
        for words in (["eval", "task", "--record", "--from", self.measurement()], ["push"]):
            result = self.run_plain("-C", theirs, *words, env=stranger)
            self.assertEqual(result.code, DONE, str(result))
        made = self.record(at=9)["id"]
        self.ok("push")
        fetched = self.run_plain("-C", self.clone, "fetch")
        self.assertEqual(fetched.code, DONE, str(fetched))
        self.assertIn("1 evaluation left there", fetched.err)
        self.assertEqual(self.ids("clone"), {made})
        self.ok("key", "trust", self.root / "eve" / "id_ed25519.pub", "--as", "eve@example.org")
        self.there("fetch")
        self.assertEqual(len(self.ids("clone")), 2)

    def test_a_bundle_has_it(self):
        made = self.record()["id"]
        bundle = self.root / "task.bundle"
        self.ok("bundle", "task", "-o", bundle)
        self.assertIn(bytes.fromhex(made), bundle.read_bytes())
        result = self.run_plain("apply", bundle, self.base, "-o", self.root / "new")
        self.assertEqual(result.code, DONE, str(result))


if __name__ == "__main__":
    unittest.main()
