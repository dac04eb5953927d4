"""The WordNet task maker: splits are disjoint, sizes are kept, equal seeds give equal bytes, pairs say what WordNet says."""
import collections
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "wordnet" / "make_tasks.py"
WORDNET = pathlib.Path("/usr/share/wordnet")


def make(out, *arguments):
    return subprocess.run([sys.executable, SCRIPT, "--out", out, *arguments], capture_output=True, text=True)


def rows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] in ("text\tlabel", "text\ttext2\tlabel")
    return [tuple(line.split("\t")) for line in lines[1:]]


def write_wordnet(folder):
    """A tiny WordNet: twelve nouns and eight verbs, with duplicates inside and across the parts of speech."""
    licence = "  1 licence text  \n"
    line = "{:08d} {:02d} {} 01 word 0 000 | {}  \n"
    nouns = [f"noun number {i}; \"an example {i}\"" for i in range(10)] + ["same text", "Same  text", "shared", "twice", "twice"]
    files = [3 + i % 3 for i in range(10)] + [3, 4, 5, 6, 6]
    verbs = [f"verb number {i}" for i in range(8)] + ["shared"]
    (folder / "data.noun").write_text(licence + "".join(
        line.format(i, files[i], "n", gloss) for i, gloss in enumerate(nouns)))
    (folder / "data.verb").write_text(licence + "".join(
        line.format(i, 29 + i % 2, "v", gloss) for i, gloss in enumerate(verbs)))


class TinyWordNet(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        write_wordnet(self.folder)

    def tiny(self, out, *arguments):
        done = make(self.folder / out, "--wordnet", self.folder, "--train", "4", "--dev", "2", "--test", "2", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out

    def test_examples_are_cut_off_and_ambiguous_texts_dropped(self):
        done = make(self.folder / "all", "--wordnet", self.folder, "--task", "noun-topic",
                    "--train", "7", "--dev", "2", "--test", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [row for name in ("train", "dev", "test") for row in rows(self.folder / f"all/noun-topic/{name}.tsv")]
        self.assertEqual(sorted(found)[:10], sorted(
            (f"noun number {i}", f"noun.{['Tops', 'act', 'animal'][i % 3]}") for i in range(10)))
        self.assertEqual(sorted(found)[10:], [("twice", "noun.artifact")])

    def test_too_large_sizes_are_one_clear_line(self):
        done = make(self.folder / "x", "--wordnet", self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("noun-topic has 11 texts", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_few_shots_are_k_of_each_class_and_none_of_the_task_s_own_dev_and_test(self):
        out = self.tiny("few", "--few-shot", "1", "--task", "noun-topic")
        few = {name: rows(out / f"noun-topic-1/{name}.tsv") for name in ("train", "dev", "test")}
        self.assertEqual(few["test"], rows(out / "noun-topic/test.tsv"))
        for name in ("train", "dev"):
            self.assertEqual(max(collections.Counter(label for _, label in few[name]).values()), 1)
            self.assertFalse(set(few[name]) & set(few["test"] + rows(out / "noun-topic/dev.tsv")))
        self.assertFalse(set(few["train"]) & set(few["dev"]))
        done = make(self.folder / "x", "--wordnet", self.folder, "--few-shot", "0")
        self.assertEqual((done.returncode != 0, done.stderr.count("\n")), (True, 1))

    def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(self):
        def digest(folder):
            return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*/*.tsv"))]
        first = digest(self.tiny("a"))
        self.assertEqual(len(first), 6)
        self.assertEqual(first, digest(self.tiny("b")))
        self.assertNotEqual(first, digest(self.tiny("c", "--seed", "2")))


@unittest.skipUnless((WORDNET / "data.noun").is_file(), "wordnet-base is not installed")
class RealWordNet(unittest.TestCase):
    def test_splits_have_the_stated_sizes_and_share_no_text(self):
        with tempfile.TemporaryDirectory() as out:
            done = make(out)
            self.assertEqual(done.returncode, 0, done.stderr)
            texts = []
            for task, sizes, classes in (("noun-topic", (20000, 2000, 5000), 26), ("verb-topic", (9000, 1000, 3000), 15)):
                labels = set()
                for name, size in zip(("train", "dev", "test"), sizes):
                    found = rows(pathlib.Path(out) / task / f"{name}.tsv")
                    self.assertEqual(len(found), size)
                    texts += [" ".join(text.split()).casefold() for text, _ in found]
                    labels |= {label for _, label in found}
                self.assertEqual(len(labels), classes)
            self.assertEqual(len(texts), len(set(texts)))

    def hypernyms(self):
        """{text: texts one step up}, read from the file by its pointers alone."""
        text_of, up = {}, collections.defaultdict(set)
        for line in (WORDNET / "data.noun").read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):
                head, gloss = line.split(" | ", 1)
                fields = head.split()
                text_of[fields[0]] = fields[4].replace("_", " ") + ": " + " ".join(gloss.split('"')[0].strip(" ;:").split())
                up[fields[0]] = set(re.findall(r" @ (\d{8}) n ", head))
        above = collections.defaultdict(set)
        for synset, parents in up.items():
            above[text_of[synset]] |= {text_of[parent] for parent in parents}
        return above

    def test_pairs_say_what_wordnet_says_and_no_text_is_in_two_splits(self):
        above = self.hypernyms()

        def reach(text, steps):
            found, edge = set(), {text}
            for _ in range(steps):
                edge = {parent for child in edge for parent in above[child]} - found
                found |= edge
            return found

        with tempfile.TemporaryDirectory() as out:
            done = make(out, "--task", "noun-kind", "--few-shot", "16")
            self.assertEqual(done.returncode, 0, done.stderr)
            texts, few, wrong = {}, {}, collections.Counter()
            for name, size in (("train", 20000), ("dev", 2000), ("test", 5000)):
                found = rows(pathlib.Path(out) / f"noun-kind/{name}.tsv")
                self.assertEqual(len(found), size)
                self.assertEqual(len(set(found)), size)
                self.assertEqual(sum(label == "yes" for *_, label in found), size // 2)
                texts[name] = {text for *pair, _ in found for text in pair}
                yes = {(a, b) for a, b, label in found if label == "yes"}
                for a, b, label in found:
                    if label == "yes":
                        self.assertIn(b, reach(a, 3))
                    else:
                        self.assertNotIn(b, reach(a, 30))
                        wrong["reversed" if (b, a) in yes else "sibling" if above[a] & above[b] else "domain"] += 1
                few[name] = rows(pathlib.Path(out) / f"noun-kind-16/{name}.tsv")
            self.assertFalse(texts["train"] & texts["dev"] or texts["train"] & texts["test"] or texts["dev"] & texts["test"])
            self.assertTrue(all(count > 0.15 * wrong.total() for count in wrong.values()), wrong)
            for name in ("train", "dev"):
                self.assertEqual(collections.Counter(label for *_, label in few[name]), {"yes": 16, "no": 16})
                self.assertFalse({text for *pair, _ in few[name] for text in pair} & (texts["dev"] | texts["test"]))
            self.assertFalse(set(few["train"]) & set(few["dev"]))


if __name__ == "__main__":
    unittest.main()
