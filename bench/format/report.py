"""What the sections of `bench/run format` share: paths, the programmes, tables, and the list of goals."""
import dataclasses
import json
import pathlib
import shutil

import environment
import machine
import tool


@dataclasses.dataclass
class Bench:
    dstore: pathlib.Path
    programme: pathlib.Path   # format_bench
    model: pathlib.Path
    work: pathlib.Path        # pairs, synthetic checkpoints and the peers' environment stay here
    scratch: pathlib.Path     # goes away at the end
    quick: bool
    large: bool
    goals: list = dataclasses.field(default_factory=list)
    tables: list = dataclasses.field(default_factory=list)
    versions: dict = dataclasses.field(default_factory=dict)

    def tool(self, *words):
        return tool.call(self.programme, *words)

    def profiles(self):
        return self.tool("profiles")["profiles"]

    def table(self, title, head, rows):
        self.tables.append({"title": title, "head": head, "rows": [[str(cell) for cell in row] for row in rows]})
        machine.table(title, head, rows)

    def goal(self, what, wanted, reached, met):
        """met: None where it was not measured."""
        self.goals.append([what, wanted, reached, "not measured" if met is None else "yes" if met else "NO"])

    def goal_at_least(self, what, wanted, reached, unit=""):
        self.goal(what, f">= {wanted:g}{unit}", f"{reached:.4g}{unit}", reached >= wanted)

    def goal_at_most(self, what, wanted, reached, unit=""):
        self.goal(what, f"<= {wanted:g}{unit}", f"{reached:.4g}{unit}", reached <= wanted)

    def save(self):
        path = self.work / "results.json"
        everything = {"versions": self.versions, "tables": self.tables, "goals": self.goals}
        path.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
        return path

    @property
    def peers(self):
        return environment.Environment(self.work / "peers")

    def install_peers(self, packages):
        """Beside what this Python has. One that cannot be installed is reported as such."""
        have = self.peer_versions()
        for package, requirement in packages.items():
            if have[package] is None:
                self.peers.install(requirement)
        self.versions = self.peer_versions()
        return self.versions

    def peer_versions(self):
        return tool.call(self.peers.python, pathlib.Path(__file__).with_name("peers.py"), "--versions")

    def peer(self, name, base, task, rounds):
        return tool.call(self.peers.python, pathlib.Path(__file__).with_name("peers.py"), name, base, task, rounds)


def megabytes(count):
    return f"{count / 1e6:,.2f} MB"


def new_store(bench, base_file, name):
    """A store with one base: a folder of the model's side files and that file as model.safetensors."""
    store = bench.scratch / f"store-{name}"
    machine.run(bench.dstore, "init", store)
    machine.run(bench.dstore, "-C", store, "import", folder_of(bench, base_file, f"{name}-base"), "--name", "base", "-m", "base")
    return store


def folder_of(bench, weights_file, name):
    folder = bench.scratch / name
    folder.mkdir()
    for side_file in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(bench.model / side_file, folder)
    (folder / "model.safetensors").symlink_to(weights_file)
    return folder


def pack_bytes(store):
    """What the packs of a store take on disk."""
    return sum(path.stat().st_size for path in (store / ".dstore" / "packs").rglob("*") if path.is_file())
