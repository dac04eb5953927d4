"""repository.md, Layout: what a repository is; what one commit is made of."""
import pathlib

from reader.basics import (NotFound, Problem, check_keys, check_version, id_from_text, is_text, list_folder, read_canonical, read_small_file,
                           require)
from reader.links import Links
from reader.objects import read_object
from reader.pack import Store
from reader.refs import is_name, read_refs, split_forgotten
from reader.signatures import check_signature_object

MAX_CONFIG = 1 << 20


class Repository:
    """An open repository: config, all packs, all refs. `problems` are those found on the way."""

    def __init__(self, folder, checksums=True):
        folder = pathlib.Path(folder)
        self.folder = folder / ".dstore" if (folder / ".dstore").is_dir() else folder
        if not (self.folder / "config").exists() or not (self.folder / "packs").is_dir():
            raise NotFound(f"{folder} is no repository")
        self.id, self.remotes, self.without_base = self.read_config()
        self.checksums = checksums
        self.store = Store(self.folder / "packs", checksums, Links(self.folder / "links"))
        refs, problems = read_refs(self.folder / "refs", self.id)
        self.refs, self.forgotten = split_forgotten(refs, False)
        self.problems = self.store.problems + problems
        self.remote_refs = {}
        for name in list_folder(self.folder / "remotes"):
            refs, problems = read_refs(self.folder / "remotes" / name)
            self.remote_refs[name], forgotten = split_forgotten(refs, True)
            self.forgotten |= forgotten
            self.problems += [f"remote {name}: {problem}" for problem in problems]
        self.signers, self.signature_problems = self.read_signatures()

    def read_config(self):
        try:
            content = read_small_file(self.folder / "config", MAX_CONFIG)
            require(content.endswith(b"\n"), "no line feed at the end")
            value = read_canonical(content[:-1])
            check_version(value, known=(1, 2))
            check_keys(value, ["remotes", "repository", "v"] + (["without_base"] if value["v"] == 2 else []))
            require(value.get("without_base", 1) == 1, "without_base")
            id_from_text(value["repository"], "repository")
            remotes = value["remotes"]
            require(isinstance(remotes, dict) and all(is_name(name) and "/" not in name and is_text(url) for name, url in remotes.items()),
                    "remotes")
        except Problem as error:
            raise type(error)(f"config: {error}") from None
        return value["repository"], remotes, value["v"] == 2

    def read_signatures(self):
        """{commit or evaluation: fingerprints of its correct signatures}, and {that or None: problems of the others}."""
        signers, problems = {}, {}
        for id in self.store.ids("signature"):
            target = None
            try:
                target = self.store.read("signature", id)[:32]
                target, signer = check_signature_object(self.store, id)
                signers.setdefault(target, []).append(signer)
            except Problem as error:
                problems.setdefault(target, []).append(f"signature {id.hex()}: {error}")
        return signers, problems

    def read(self, kind, id):
        return read_object(self.store, kind, id)
