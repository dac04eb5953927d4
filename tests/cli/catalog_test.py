"""catalog.db is only a cache, and only its user can write rows that are believed (spec/catalog.md)."""
import os
import sqlite3
import unittest

from sandbox import CORRUPT, DONE, NOT_FOUND, Case


class CatalogTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.ok("commit", self.tiny_task(self.base, "other"), "--base", "base", "--name", "other", "-m", "another", "--no-sign")
        self.catalog = self.repo / ".dstore" / "catalog.db"

    def environment(self, **more):
        return super().environment(SOURCE_DATE_EPOCH="1790000000", **more)  # ages are shown

    def answers(self, env=None):
        """Everything that is shown from the catalog."""
        words = (["log"], ["log", "--all", "--json"], ["log", "--oneline", "--signer", "unsigned"], ["tasks"], ["query", "SELECT * FROM tensors ORDER BY 1, 2"],
                 ["query", "SELECT * FROM deltas ORDER BY 1"], ["query", "SELECT * FROM commits ORDER BY 1", "--json"])
        return [self.ok(*w, env=env).out for w in words]

    def rows(self, sql, *values):
        with sqlite3.connect(self.catalog) as db:
            found = db.execute(sql, values).fetchall()
        db.close()
        return found

    def packs(self):
        return sorted((self.repo / ".dstore" / "packs").iterdir())

    def test_it_may_be_deleted_or_damaged_at_any_time(self):
        self.assertFalse(self.catalog.exists())
        first = self.answers()
        good = self.catalog.read_bytes()
        self.assertEqual(self.answers(), first)
        self.assertEqual(self.catalog.read_bytes(), good)  # nothing was missing, nothing was written
        for name, content in (("gone", None), ("empty", b""), ("garbage", self.rng.randbytes(20_000)), ("text", b"hello\n"), ("cut", good[:len(good) // 2]),
                              ("header only", good[:100]), ("garbage behind the header", good[:100] + self.rng.randbytes(len(good) - 100)),
                              ("another database", (self.repo / ".dstore" / "index.db").read_bytes())):
            with self.subTest(name):
                self.catalog.unlink()
                if content is not None:
                    self.catalog.write_bytes(content)
                self.assertEqual(self.answers(), first)
                self.assertEqual(self.answers(), first)
        for place in self.rng.sample(range(len(good)), 25):
            self.catalog.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1:])
            self.assertEqual(self.ok("log", "--all", "--json").out, first[1], f"flipped at {place}")
        self.catalog.unlink()
        self.catalog.symlink_to(self.root / "elsewhere")
        self.assertEqual(self.answers(), first)
        self.assertFalse((self.root / "elsewhere").exists())

    def test_it_is_used(self):
        """A commit that is damaged on disk is still listed from its row; what reads the store says so."""
        before = self.ok("log", "--json").out
        for pack in self.packs():
            pack.chmod(0o644)
            content = pack.read_bytes()
            pack.write_bytes(content.replace(b'"message":"a task"', b'"message":"A TASK"'))
        self.assertEqual(self.ok("log", "--json").out, before)
        self.assertEqual(self.run_in("verify").code, CORRUPT)
        self.catalog.unlink()
        self.fails(CORRUPT, "log")

    def test_a_forged_row_is_not_believed(self):
        first = self.answers()
        rows = self.rows("SELECT kind, key, content, mac FROM rows")
        self.assertEqual(sorted({row[0] for row in rows}), [0, 1, 2, 6])
        for kind, key, content, mac in rows:
            for place in self.rng.sample(range(len(content)), min(12, len(content))):
                forged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]
                self.rows("UPDATE rows SET content = ? WHERE kind = ? AND key = ?", forged, kind, key)
            self.assertEqual(self.answers(), first, (kind, key))
            self.assertEqual(self.rows("SELECT content, mac FROM rows WHERE kind = ? AND key = ?", kind, key), [(content, mac)])  # written anew
        commits = [row for row in rows if row[0] == 1]
        for (_, key, content, mac), (_, _, other, other_mac) in zip(commits, commits[1:] + commits[:1]):
            self.rows("UPDATE rows SET content = ?, mac = ? WHERE kind = 1 AND key = ?", other, other_mac, key)  # a true row under another key
        self.assertEqual(self.answers(), first)
        self.rows("UPDATE rows SET kind = 2 - kind WHERE kind <> 1")
        self.assertEqual(self.answers(), first)
        self.rows("DELETE FROM rows WHERE kind = 1 AND key = ?", commits[0][1])
        self.assertEqual(self.answers(), first)

    def test_trust_that_changes_changes_what_is_shown(self):
        def verdicts(env=None):
            return {row["message"]: row["signature"]["verdict"] for row in self.ok("log", "--json", env=env).json}
        good = {"the base": "good", "a task": "good", "another": "unsigned"}
        self.assertEqual(verdicts(), good)
        stranger = self.environment(DSTORE_CONFIG_HOME=str(self.root / "stranger"))
        for _ in range(2):  # users of one folder have rows of their own
            self.assertEqual(verdicts(stranger), {"the base": "untrusted key", "a task": "untrusted key", "another": "unsigned"})
            self.assertEqual(verdicts(), good)
        self.assertEqual(len(self.rows("SELECT DISTINCT owner FROM rows")), 2)
        public = (self.user / "id_ed25519.pub").read_text()
        (self.user / "revoked_keys").write_text(public)
        self.assertEqual(verdicts()["a task"], "revoked key")
        (self.user / "revoked_keys").unlink()
        self.assertEqual(verdicts(), good)
        allowed = (self.user / "allowed_signers").read_text()
        (self.user / "allowed_signers").write_text(allowed.replace(" ssh-ed25519", ' valid-before="20200101Z" ssh-ed25519'))
        self.assertEqual(verdicts()["a task"], "untrusted key")

    def test_the_secret_is_private_and_replaced_where_it_is_not(self):
        first = self.answers()
        secret = self.user / "catalog_key"
        self.assertEqual((secret.stat().st_mode & 0o777, len(secret.read_bytes())), (0o600, 32))
        old = secret.read_bytes()
        for spoil in (lambda: secret.chmod(0o644), lambda: secret.write_bytes(b"short"), secret.unlink):
            spoil()
            self.assertEqual(self.answers(), first)
            self.assertEqual((secret.stat().st_mode & 0o777, len(secret.read_bytes())), (0o600, 32))
            self.assertNotEqual(secret.read_bytes(), old)
        secret.unlink()
        secret.mkdir()
        self.assertEqual(self.answers(), first)

    def test_commits_that_the_store_has_lost_are_not_shown(self):
        self.ok("log")
        for pack in self.packs():
            if b'"message":"another"' in pack.read_bytes():
                os.remove(pack)
        self.fails(NOT_FOUND, "log")
        self.assertEqual(self.run_in("log", "task").code, DONE)

    def test_a_new_commit_and_a_new_remote_are_rolled_forward(self):
        self.ok("log")
        self.ok("commit", self.tiny_task(self.base, "third"), "--base", "base", "--name", "task", "-m", "later")
        self.assertEqual([row["message"] for row in self.ok("log", "task", "--json").json], ["later", "a task", "the base"])
        self.ok("remote", "add", "origin", self.root / "remote")
        self.ok("push", "origin", "task")
        self.assertFalse((self.root / "remote" / "catalog.db").exists())
        self.assertEqual(self.ok("query", "SELECT name FROM refs WHERE remote = 'origin'", "--csv").text, "name\norigin/task\n")
        self.assertIn("origin/task", self.ok("log", "--all", "--oneline").text)


if __name__ == "__main__":
    unittest.main()
