"""`dstore query`: the views, what is refused, and how rows are printed."""
import csv
import io
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from sandbox import DONE, INTERRUPTED, USAGE, Case

SPEC = pathlib.Path(__file__).resolve().parents[2] / "spec" / "catalog.md"


class QueryTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.stage("topic")
        self.ok("commit", "topic", "-m", "trained, \"quoted\"\nsecond line")
        self.ok("tag", "v1", "topic")

    def query(self, sql):
        return self.ok("query", sql, "--json").json

    def test_the_views_are_those_of_the_spec(self):
        spec = {}
        for view, body in re.findall(r"(?ms)^### ([a-z]\w*)\n(.*?)(?=^##)", SPEC.read_text()):
            spec[view] = re.findall(r"(?m)^\| (\w+) \| (TEXT|INTEGER|REAL) \| (.*) \|$", body)
        shown = {row["view"]: [(c["name"], c["type"], c["meaning"]) for c in row["columns"]] for row in self.ok("query", "--schema", "--json").json}
        self.assertEqual(shown, spec)
        measured = self.root / "measured.json"
        measured.write_text('{"split": "test", "data_sha256": "%s", "n": 5, "metrics": {"accuracy": 0.5}}' % ("ab" * 32))
        self.ok("eval", "task", "--record", "--from", measured)
        for view, columns in spec.items():
            rows = self.query(f"SELECT * FROM {view}")
            self.assertTrue(rows, view)
            self.assertEqual(list(rows[0]), [name for name, _, _ in columns])
            for name, kind, _ in columns:
                types = {type(row[name]) for row in rows} - {type(None)}
                self.assertLessEqual(types, {str} if kind == "TEXT" else {int} if kind == "INTEGER" else {float, int}, (view, name))

    def test_the_views_say_what_the_commands_say(self):
        log = {row["id"]: row for row in self.ok("log", "--json").json}
        commits = {row["id"]: row for row in self.query("SELECT * FROM commits")}
        self.assertEqual(set(commits), set(log))
        for key, row in commits.items():
            told = log[key]
            self.assertEqual((row["kind"], row["base"], row["author"], row["time"], row["message"], row["density"]),
                             (told["kind"], told["base"], told["author"], told["time"], told["message"], told["density"]))
            self.assertEqual((row["verdict"], row["signer"], row["fingerprint"]), tuple(told["signature"].values()))
            self.assertEqual([row[f"{k}_bytes"] for k in ("stored", "delta", "added", "files", "checkpoint")],
                             [told["sizes"][f"{k}_bytes"] for k in ("stored", "delta", "added", "files", "checkpoint")])
            self.assertEqual((row["parents"] or "").split(), told["parents"])
        self.assertEqual(self.query("SELECT training->>'seed' AS seed, task, metric, value FROM commits WHERE method = 'diff-pruning'"),
                         [{"seed": "1", "task": "topic", "metric": "accuracy", "value": 0.75}])
        for name in ("task", "topic"):
            shown = self.ok("show", name, "--json").json
            delta = self.query(f"SELECT d.* FROM deltas d JOIN refs r ON r.commit_id = d.commit_id WHERE r.name = '{name}'")[0]
            self.assertEqual((delta["changed"], delta["total"], delta["modified"], delta["added"], delta["removed"], delta["renamed"]),
                             (shown["weights_changed"], shown["weights_total"], *(shown["tensors"][k] for k in ("modified", "added", "removed", "renamed"))))
            self.assertEqual(self.query(f"SELECT sum(changed) AS n FROM tensors WHERE commit_id = '{shown['id']}'"), [{"n": shown["weights_changed"]}])
        base = self.ok("show", "base", "--json").json["id"]
        tensors = {row["name"]: row for row in self.query(f"SELECT * FROM tensors WHERE commit_id = '{base}'")}
        self.assertEqual(len(tensors), 8)
        self.assertEqual((tensors["layer.1.weight"]["dtype"], tensors["layer.1.weight"]["shape"], tensors["layer.1.weight"]["bytes"]), ("BF16", "[16,16]", 512))
        self.assertEqual((tensors["scale"]["shape"], tensors["scale"]["elements"], tensors["empty"]["elements"]), ("[]", 1, 0))
        self.assertEqual(self.query("SELECT split, name, value, text, n, data_sha256 FROM metrics"),
                         [{"split": "test", "name": "accuracy", "value": 0.75, "text": "0.75", "n": 5000, "data_sha256": "ab" * 32}])
        self.assertEqual([(row["name"], row["kind"], row["moves"]) for row in self.query("SELECT * FROM refs ORDER BY name")],
                         [("base", "branch", 1), ("task", "branch", 1), ("topic", "branch", 1), ("v1", "tag", 1)])

    def test_joins_subqueries_and_json_functions(self):
        self.assertEqual(self.query("WITH t AS (SELECT commit_id, count(*) AS n FROM tensors GROUP BY 1) SELECT kind, sum(n) AS n FROM t JOIN commits ON id = commit_id "
                                    "WHERE method IN ('base') GROUP BY kind"), [{"kind": "base", "n": 8}])
        self.assertEqual(self.query("SELECT key FROM commits, json_each(training) WHERE kind = 'task' ORDER BY key"), [{"key": "density"}, {"key": "method"}, {"key": "seed"}])
        self.assertEqual(self.query("SELECT count(*) AS n FROM refs")[0]["n"], 4)
        self.assertEqual(self.query("SELECT 1 + 1 AS two, NULL AS none, x'00ff' AS bytes, 0.5 AS half"), [{"two": 2, "none": None, "bytes": "00ff", "half": 0.5}])

    def test_only_reading_the_views_is_possible(self):
        before = {path: path.read_bytes() for path in sorted((self.repo / ".dstore").rglob("*")) if path.is_file()}
        target = self.root / "made"
        for sql in ("DELETE FROM commits", "DROP TABLE commits", "INSERT INTO refs VALUES(1,2,3,4,5,6)", "CREATE TABLE x(y)", "CREATE TEMP TABLE x(y)",
                    f"ATTACH '{target}' AS other", "PRAGMA user_version", "PRAGMA table_info(commits)", "SELECT * FROM pragma_database_list", "SELECT * FROM sqlite_schema",
                    "SELECT * FROM sqlite_temp_schema", "SELECT load_extension('x')", f"VACUUM INTO '{target}'", "BEGIN", "ANALYZE", "REINDEX", "EXPLAIN SELECT 1",
                    "SELECT * FROM dbstat", "SELECT 1; SELECT 2", "SELECT 1; DELETE FROM commits", "", ";", "-- nothing", "SELECT", "SELECT * FROM rows",
                    "UPDATE commits SET id = 1", "REPLACE INTO refs SELECT * FROM refs", "SELECT writefile('x', 'y')", "SELECT id, id FROM commits"):
            with self.subTest(sql):
                self.fails(USAGE, "query", sql, "--json", says="query")
        self.assertFalse(target.exists())
        after = {path: path.read_bytes() for path in before}
        self.assertEqual(after, before)
        for sql, hint in (("SELECT acuracy FROM commits", "--schema"), ("SELECT metod FROM commits", "did you mean method?"), ("SELECT * FROM commit_s", "did you mean commits?"),
                          ("SELECT c.signr FROM commits c", "did you mean signer?"), ("DELETE FROM commits", "only SELECT"), ("SELEC 1", "syntax error")):
            self.fails(USAGE, "query", sql, says=hint)

    def test_tables_and_csv(self):
        table = self.ok("query", "SELECT name, moves FROM refs ORDER BY name").text.splitlines()
        self.assertEqual(table, ["name   moves", "base       1", "task       1", "topic      1", "v1         1"])
        text = self.ok("query", "SELECT subject, message, value, base FROM commits ORDER BY kind, subject", "--csv").text
        rows = list(csv.reader(io.StringIO(text)))
        self.assertEqual(rows[0], ["subject", "message", "value", "base"])
        self.assertEqual(rows[1][3], "")
        self.assertEqual(rows[3][:3], ['trained, "quoted"', 'trained, "quoted"\nsecond line', "0.75"])
        self.assertEqual(self.ok("query", "SELECT name FROM refs WHERE 0").text, "name\n")
        self.assertEqual(self.ok("query", "SELECT name FROM refs WHERE 0", "--json").json, [])

    def test_hostile_text_is_escaped(self):
        folder = self.tiny_task(self.base, "evil")
        self.ok("commit", folder, "--base", "base", "--name", "evil", "-m", "red \x1b[31m \u202e and \x07 bell")
        table = self.ok("query", "SELECT message FROM commits WHERE task = 'evil'").text
        self.assertIn("red \\x1b[31m", table)
        for bad in ("\x1b", "\x07", "\u202e"):
            self.assertNotIn(bad, table)
            self.assertNotIn(bad, self.fails(USAGE, "query", "SELECT 'a\x1b[31m' FROM nowhere\x1b\u202e").err)
        self.assertNotIn("\x1b", self.ok("query", "SELECT 1 AS \"\x1b[31m\"").text)

    def test_a_runaway_query_ends_with_ctrl_c(self):
        for sql in ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t", "SELECT count(*) FROM tensors a, tensors b, tensors c, tensors d, tensors e, tensors f, tensors g"):
            process = subprocess.Popen(self.command(["query", sql]), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1.5)
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            self.assertEqual((process.returncode, out), (INTERRUPTED, b""), err)

    def test_a_query_that_wants_all_memory_fails_alone(self):
        self.fails(USAGE, "query", "SELECT length(zeroblob(1 << 30))", says="too big")


if __name__ == "__main__":
    unittest.main()
