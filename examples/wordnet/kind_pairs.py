"""Pairs of WordNet nouns for the task noun-kind: is the first a kind of the second?

A row is (key, text, text2, label); a text is `word: definition`. Every synset belongs to one split by its hash, and both of a
pair's belong to the same: no text of one split occurs in another. Yes: the second is a hypernym of the first, one to three
steps up (instances, such as cities and people, are no kinds). No, and half of the rows each:
  domain    the same second with another noun of the first's lexicographer file, which is no kind of it (two of four)
  sibling   the first with another kind of the same hypernym (one of four)
  reversed  the same two the other way round (one of four)
"""
import collections
import dataclasses
import hashlib

COLUMNS = ("text", "text2", "label")
TASK = "noun-kind"
SPLITS = ("test",) * 5 + ("dev",) * 3 + ("train",) * 12  # of 20 synsets
STEPS_UP = 3


@dataclasses.dataclass
class Noun:
    synset: str
    text: str
    domain: str
    parents: list


def digest(seed, *words):
    return hashlib.sha256(" ".join([str(seed), TASK, *words]).encode()).digest()


def parse(line, definition):
    """A line of data.noun (wndb(5WN)); the definition apart."""
    fields, gloss = line.split(" | ", 1)
    fields = fields.split()
    at = 4 + 2 * int(fields[3], 16)  # behind the words
    pointers = [fields[at + 1 + 4 * i:at + 3 + 4 * i] for i in range(int(fields[at]))]
    word = fields[4].replace("_", " ")
    meaning = definition(gloss)
    return Noun(fields[0], f"{word}: {meaning}", fields[1], [target for symbol, target in pointers if symbol == "@"]), meaning


def read_nouns(folder, definition):
    """{synset: Noun}, whole; and the synsets whose definition no other one has."""
    nouns, meanings = {}, collections.defaultdict(list)
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):
            noun, meaning = parse(line, definition)
            nouns[noun.synset] = noun
            meanings[meaning.casefold()].append(noun.synset)
    return nouns, {synsets[0] for meaning, synsets in meanings.items() if meaning and len(synsets) == 1}


class Kinds:
    """Who is a kind of whom."""

    def __init__(self, nouns):
        self.nouns = nouns
        self.children = collections.defaultdict(list)
        for noun in nouns.values():
            for parent in noun.parents:
                self.children[parent].append(noun.synset)
        self.all_above = {}

    def up(self, synset, steps):
        """Hypernyms that are at most so many steps away."""
        found, edge = [], [synset]
        for _ in range(steps):
            edge = list(dict.fromkeys(parent for child in edge for parent in self.nouns[child].parents))
            found += [parent for parent in edge if parent not in found]
        return found

    def above(self, synset):
        if synset not in self.all_above:
            self.all_above[synset] = set(self.up(synset, 100))
        return self.all_above[synset]

    def related(self, a, b):
        return a == b or a in self.above(b) or b in self.above(a)

    def siblings(self, synset):
        for parent in self.nouns[synset].parents:
            yield from (other for other in self.children[parent] if not self.related(synset, other))


def pairs_of_split(kinds, synsets, seed):
    """Rows, yes and no by turns, in the order of the hash of the yes pairs' first."""
    order = sorted(synsets, key=lambda synset: digest(seed, synset))
    by_domain = collections.defaultdict(collections.deque)
    for synset in order:
        by_domain[kinds.nouns[synset].domain].append(synset)
    seen = set()

    def other_of_domain(first, second):
        domain = by_domain[kinds.nouns[first].domain]
        for _ in range(min(len(domain), 100)):
            domain.rotate(-1)
            if not kinds.related(domain[0], second) and (domain[0], second) not in seen:
                return domain[0], second
        return None

    def sibling(first, _):
        fresh = [other for other in kinds.siblings(first) if other in synsets and (first, other) not in seen]
        return (first, min(fresh, key=lambda other: digest(seed, first, other))) if fresh else None

    def reverse(first, second):
        return second, first

    turns = (other_of_domain, sibling, other_of_domain, reverse)
    count = 0
    for first in order:
        above = [synset for synset in kinds.up(first, STEPS_UP) if synset in synsets]
        if not above:
            continue
        second = min(above, key=lambda synset: digest(seed, first, synset))
        wrong = turns[count % len(turns)](first, second) or other_of_domain(first, second)
        if wrong is None:
            continue
        count += 1
        seen.update({(first, second), wrong})
        for (a, b), label in (((first, second), "yes"), (wrong, "no")):
            yield f"{a} {b}", kinds.nouns[a].text, kinds.nouns[b].text, label


def make(folder, definition, seed):
    """{split: all its rows}"""
    nouns, distinct = read_nouns(folder, definition)
    kinds = Kinds(nouns)
    members = collections.defaultdict(set)
    for synset in distinct:
        members[SPLITS[int.from_bytes(digest(seed, "split", synset)[:4], "big") % len(SPLITS)]].add(synset)
    return {name: list(pairs_of_split(kinds, members[name], seed)) for name in ("test", "dev", "train")}
