"""revisions.md: what a user types to name a commit or a sum of commits."""
import re
from typing import NamedTuple

from reader.basics import Corrupt, NotFound, Unsupported, require

# Grammar.
WEIGHT = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE]-?[0-9]+)? *\* *")
WORD = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/-]*")
STEP = re.compile(r"(?P<caret>\^)|~(?P<parents>[0-9]*)|@\{(?P<moves>[0-9]+)\}")
PLUS = re.compile(r" *\+ *")
MINUS = re.compile(r" +- +")


class Term(NamedTuple):
    word: str
    steps: list  # ("parents", n) or ("moves", n)


def parse_revision(text):
    """The one or two terms of a commit or base+task. What is computed is not for this reader."""
    def wrong(at):
        return Corrupt(f"revision {text!a}: not understood at byte {at}")
    end = len(text.rstrip(" "))
    at = len(text) - len(text.lstrip(" "))
    terms, refused = [], None
    while True:
        if match := WEIGHT.match(text, at, end):
            refused, at = refused or (None if float(match[0].rstrip(" *")) == 1 else "a weight"), match.end()
        match = WORD.match(text, at, end)
        if not match:
            raise wrong(at)
        term, at = Term(match[0], []), match.end()
        if text[at:at + 1] == "(":
            raise Unsupported(f"revision {text!a}: {match[0]}(...) is computed: not read here")
        while match := STEP.match(text, at, end):
            if match["moves"] is not None:
                term.steps.append(("moves", int(match["moves"])))
            else:
                term.steps.append(("parents", int(match["parents"] or 1)))
            at = match.end()
        terms.append(term)
        if at == end:
            break
        if match := PLUS.match(text, at, end):
            at = match.end()
        elif match := MINUS.match(text, at, end):
            refused, at = "subtraction", match.end()
        else:
            raise wrong(at)
    if refused or len(terms) > 2:
        raise Unsupported(f"revision {text!a}: {refused or 'a sum of several tasks'} is computed: not read here")
    return terms


# Meaning.

def readings(repository, word):
    """[(what it is, commit, its ref's entries or None)]"""
    found = []
    if word in repository.refs and repository.refs[word][-1].new:
        entries = repository.refs[word]
        found.append((f"{entries[-1].kind} {word}", entries[-1].new, entries))
    remote, _, name = word.partition("/")
    entries = repository.remote_refs.get(remote, {}).get(name) if remote in repository.remotes else None
    if entries and entries[-1].new:
        found.append((f"{word} of a remote", entries[-1].new, None))
    if re.fullmatch("[0-9a-f]{4,64}", word):
        found += [(f"commit {id.hex()}", id, None) for id in repository.store.ids("commit") if id.hex().startswith(word)]
    return found


def resolve_term(repository, term):
    """The id of a commit."""
    found = readings(repository, term.word)
    if not found:
        raise NotFound(f"{term.word} is not found")
    require(len({id for _, id, _ in found}) == 1, f"{term.word} is ambiguous: " + ", ".join(what for what, _, _ in found))
    _, id, entries = found[0]
    for number, (step, count) in enumerate(term.steps):
        if step == "moves":
            require(number == 0 and entries, f"{term.word}: only a branch or tag of this repository has moves")
            require(count < len(entries) and entries[-1 - count].new, f"{term.word} has no commit {count} moves ago")
            id = entries[-1 - count].new
            continue
        for _ in range(count):
            parents = repository.read("commit", id).parents
            require(parents, f"{term.word}: the history ends at {id.hex()}")
            id = parents[0]
    return id
