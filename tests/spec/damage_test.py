"""What is damaged, spec/decode.py refuses. In-process, since that is faster."""
import unittest

from decode_case import Case
from reader.basics import Problem
from reader.check import check_content, check_links, check_packs
from reader.repository import Repository


class DamageTest(Case):
    def setUp(self):
        super().setUp()
        self.make_store()
        self.packs = sorted((self.repo / ".dstore" / "packs").iterdir())

    def problems(self):
        """All that a check of the repository finds. Anything but a Problem that is raised fails the test."""
        try:
            repository = Repository(self.repo)
        except Problem as error:
            return [str(error)]
        problems = repository.problems + check_packs(repository.store) + check_links(repository)
        return problems + [problem for each in repository.signature_problems.values() for problem in each]

    def rewrite(self, path, content):
        path.unlink()
        path.write_bytes(content)

    def test_whole(self):
        self.assertEqual(self.problems(), [])
        self.decode_well()

    def test_flipped_bits_of_packs(self):
        for path in self.packs:
            content = path.read_bytes()
            for at in self.rng.sample(range(len(content)), 60):
                self.rewrite(path, content[:at] + bytes([content[at] ^ 1 << self.rng.randrange(8)]) + content[at + 1:])
                self.assertNotEqual(self.problems(), [], f"byte {at} of {path.name}")
            self.rewrite(path, content)
        self.assertEqual(self.problems(), [])

    def test_packs_cut_short_longer_renamed_and_missing(self):
        path = self.packs[0]
        content = path.read_bytes()
        for other in (b"", content[:100], content[:-1], content + b"\0", content[:16] + content[17:]):
            self.rewrite(path, other)
            self.assertNotEqual(self.problems(), [])
        self.rewrite(path, content)
        other = path.with_name("0" * 64 + ".pack")
        path.rename(other)
        self.assertNotEqual(self.problems(), [])
        other.unlink()
        self.assertNotEqual(self.problems(), [])

    def test_symbolic_links_are_not_followed(self):
        path = self.packs[0]
        path.rename(self.root / "moved")
        path.symlink_to(self.root / "moved")
        self.assertNotEqual(self.problems(), [])

    def test_flipped_bits_of_refs_and_config(self):
        files = [path for path in (self.repo / ".dstore" / "refs").rglob("*") if path.is_file()]
        for path in files:
            content = path.read_bytes()
            for at in self.rng.sample(range(len(content)), 80):
                self.rewrite(path, content[:at] + bytes([content[at] ^ 1 << self.rng.randrange(8)]) + content[at + 1:])
                self.assertNotEqual(self.problems(), [], f"byte {at} of {path}")
            self.rewrite(path, content)
        path = self.repo / ".dstore" / "config"
        content = path.read_bytes()
        for at in range(len(content)):
            self.rewrite(path, content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
            self.assertNotEqual(self.problems(), [], f"byte {at} of config")

    def test_a_damaged_chunk_is_refused_at_checkout(self):
        for path in self.packs:
            content = bytearray(path.read_bytes())
            content[120] ^= 1
            self.rewrite(path, bytes(content))
        done = self.decode("task", "-o", self.root / "out")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done)

    def test_damaged_content_never_crashes(self):
        """As if somebody had made the ids and checksums fit: every parser alone."""
        store = Repository(self.repo).store
        for id in store.places:
            kind = store.kind(id)
            content = store.read(kind, id)
            for at in self.rng.sample(range(len(content)), min(60, len(content))):
                damaged = content[:at] + bytes([content[at] ^ 1 << self.rng.randrange(8)]) + content[at + 1:]
                for other in (damaged, content[:at]):
                    try:
                        check_content(kind, other, checksums=False)
                    except Problem:
                        pass


if __name__ == "__main__":
    unittest.main()
