"""Programs that keep the versions of a model's folder, all used in one way: copy() a version into place, add() it, restore() it."""
import os
import pathlib
import shutil

import machine


def bytes_in(folder):
    """As the files are long, of the folder and all below it."""
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file() and not path.is_symlink())


class Keeper:
    """One folder of a model that changes, kept by some program. Version 0 is the base, the others are tasks of it."""
    name = program = ""  # of the table's line; what must be installed
    source = "apt-get install"

    def __init__(self, scratch, _=None):
        self.home = scratch / self.name.replace(" ", "-")
        self.work = self.home / "model"
        self.store = self.home / "store"
        self.home.mkdir()

    def copy(self, model):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(model, self.work, copy_function=shutil.copy)  # with the time of the copy: git sees the change by it

    def add(self, number):
        """Keeps what copy() put there as that version; numbers go up from 0."""
        raise NotImplementedError

    def check(self):
        """Reads everything back and verifies it."""
        raise NotImplementedError

    def prepare(self, number):
        """What restore() needs and no bench counts: the place where it writes is empty after."""
        self.out = self.home / "out"
        shutil.rmtree(self.out, ignore_errors=True)

    def restore(self, number):
        """Writes that version's files anew, to a folder that holds nothing of a model."""
        raise NotImplementedError

    def restored(self):
        """The folder that restore() wrote."""
        return self.out

    def size(self):
        return bytes_in(self.store)


class Plain(Keeper):
    """The least that it can cost: a copy of each, hashed."""
    name, program, synced = "cp + sha256", "cp", False

    def place(self, source, target):
        machine.run("cp", "-r", source, target)
        machine.run("openssl", "dgst", "-sha256", target / "model.safetensors")
        if self.synced:
            machine.run("sync", "-f", target)

    def add(self, number):
        self.store.mkdir(exist_ok=True)
        self.place(self.work, self.store / str(number))

    def check(self):
        for model in sorted(self.store.glob("*/model.safetensors")):
            machine.run("openssl", "dgst", "-sha256", model)

    def restore(self, number):
        self.place(self.store / str(number), self.out)


class PlainSynced(Plain):
    name, synced = "cp + sha256 + sync", True


class Dstore(Keeper):
    name = "dstore"

    def __init__(self, scratch, program):
        super().__init__(scratch)
        self.dstore, self.store = program, self.home / ".dstore"
        machine.run(program, "init", self.home)

    def run(self, *words):
        return machine.run(self.dstore, "-C", self.home, *words)

    def add(self, number):
        if number == 0:
            self.run("import", self.work, "--name", "base")
        else:
            self.run("commit", self.work, "--base", "base", "--name", f"task{number}", "-m", f"task {number}")

    def check(self):
        self.run("fsck")

    def restore(self, number):
        self.run("checkout", f"base+task{number}" if number else "base", "-o", self.out)


class Restic(Keeper):
    name = program = "restic"

    def __init__(self, scratch, _=None):
        super().__init__(scratch)
        os.environ.update(RESTIC_PASSWORD="bench", RESTIC_CACHE_DIR=str(self.home / "cache"))
        self.restic("init")

    def restic(self, *words):
        return machine.run("restic", "-r", self.store, *words)

    def add(self, number):
        self.restic("backup", "--tag", f"v{number}", self.work)

    def check(self):
        self.restic("check", "--read-data")

    def restore(self, number):
        self.restic("restore", "latest", "--tag", f"v{number}", "--target", self.out)

    def restored(self):
        return self.out / str(self.work.absolute()).lstrip("/")


class Git(Keeper):
    name = program = "git"

    def __init__(self, scratch, _=None):
        super().__init__(scratch)
        self.store = self.home / ".git"
        self.git("init", "-q", ".")
        for key, value in (("user.name", "bench"), ("user.email", "bench@example.org"), ("gc.auto", "0"), ("core.fsync", "all")):
            self.git("config", key, value)

    def git(self, *words):
        return machine.run("git", *words, cwd=self.home)

    def add(self, number):
        self.git("add", "model")
        self.git("commit", "-q", "-m", f"task {number}")
        self.last = number

    def check(self):
        self.git("fsck", "--full")

    def prepare(self, number):
        shutil.rmtree(self.work, ignore_errors=True)

    def restore(self, number):
        self.git("checkout", "-q", f"HEAD~{self.last - number}", "--", "model")

    def restored(self):
        return self.work


class GitLfs(Git):
    name = program = "git-lfs"

    def __init__(self, scratch, _=None):
        super().__init__(scratch)
        self.git("lfs", "install", "--local")
        self.git("lfs", "track", "*.safetensors")
        self.git("add", ".gitattributes")

    def check(self):
        super().check()
        self.git("lfs", "fsck", "--objects")


class GitTheta(Git):
    """With its default, whole tensors where one changed: its sparse updates are differences by subtraction, read from a file made by hand."""
    name = program = "git-theta"
    source = "pip install"

    def __init__(self, scratch, _=None):
        super().__init__(scratch)
        os.environ["GIT_THETA_CHECKPOINT_TYPE"] = "safetensors"
        for word in ("clean", "smudge"):
            self.git("config", f"filter.theta.{word}", f"git-theta-filter {word} %f")
        self.git("config", "filter.theta.required", "true")
        self.git("lfs", "install", "--local")
        machine.run("git-theta", "track", "model/model.safetensors", cwd=self.home)
        self.git("add", ".gitattributes")


class Dvc(Git):
    """Files come out of its cache as copies: links, which it makes where it can, would let an edit damage the cache or leave the files read-only."""
    name, program, source = "DVC", "dvc", "pip install"

    def __init__(self, scratch, _=None):
        super().__init__(scratch)
        os.environ["DVC_SITE_CACHE_DIR"] = str(self.home / "site")
        self.dvc("init")
        for key, value in (("core.analytics", "false"), ("core.check_update", "false"), ("cache.type", "copy")):
            self.dvc("config", key, value)
        self.store = self.home / ".dvc" / "cache"

    def dvc(self, *words):
        return machine.run("dvc", *words, "-q", cwd=self.home)

    def add(self, number):
        self.dvc("add", "model")
        self.git("add", "model.dvc", ".gitignore", ".dvc")
        self.git("commit", "-q", "-m", f"task {number}")
        self.last = number

    def check(self):
        raise NotImplementedError("DVC has no command that reads all of its cache back")

    def prepare(self, number):
        super().prepare(number)
        self.git("checkout", "-q", f"HEAD~{self.last - number}", "--", "model.dvc")

    def restore(self, number):
        self.dvc("checkout", "model.dvc")


def make(kinds, scratch, dstore):
    """Of those that are installed; says which are not."""
    found = []
    for kind in kinds:
        if kind.program and shutil.which(kind.program) is None:
            print(f"  {kind.program}: not there ({kind.source} {kind.program})")
        else:
            found.append(kind(scratch, dstore))
    return found
