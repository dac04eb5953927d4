"""Virtual environments in the work folder for the Python programs that benches compare with."""
import os
import pathlib
import subprocess
import sys
import sysconfig


class Environment:
    """One folder. `alone`: nothing but what is installed into it; else the project's packages too, which it leaves as they are."""

    def __init__(self, folder, alone=False):
        self.bin, self.alone = pathlib.Path(folder).absolute() / "bin", alone
        self.python = self.bin / "python"
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            if not alone:
                site = next(self.bin.parent.glob("lib/python*/site-packages"))
                (site / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")

    def install(self, *requirements):
        """What pip says where it fails, in one line; else nothing. Does nothing, and needs no network, where all is there."""
        words = ["--disable-pip-version-check", "install", "--quiet", *([] if self.alone else ["--no-deps"]), *requirements]
        done = subprocess.run([sys.executable, "-m", "pip", "--python", self.python, *words], capture_output=True, text=True)
        problems = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        return problems[-1].removeprefix("ERROR: ") if done.returncode != 0 else ""

    def on_path(self):
        """Its programs before all others, for this process's children."""
        os.environ["PATH"] = f"{self.bin}:{os.environ['PATH']}"
