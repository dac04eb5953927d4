"""Running programs under a clock: CPU seconds and the largest memory of a child; medians with their spread."""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time


class Spread:
    """Several measurements of one thing; prints as median (least..most)."""

    def __init__(self, values):
        self.values = sorted(values)

    @property
    def median(self):
        return statistics.median(self.values)

    def per(self, amount):
        """amount / value, such as a speed."""
        return Spread([amount / value for value in self.values])

    def __str__(self):
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        return f"{self.median:.{digits}f} ({self.values[0]:.{digits}f}..{self.values[-1]:.{digits}f})"


def seconds(nanoseconds):
    return Spread([value / 1e9 for value in nanoseconds])


def call(*words):
    """The JSON object a programme prints."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, words))}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def anonymous_bytes(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Child:
    """Runs a command to its end. cpu: seconds of it and its children; anonymous: peak of its memory that is no file's (looked at
    every 2 ms); out: what it printed."""

    def __init__(self, *words, watch_memory=False, env=None):
        printed = tempfile.TemporaryFile()
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.PIPE, env=env)
        self.anonymous, ended = 0, threading.Event()

        def watch():
            while not ended.wait(0.002):
                self.anonymous = max(self.anonymous, anonymous_bytes(process.pid))
        watcher = threading.Thread(target=watch)
        start = time.perf_counter()
        if watch_memory:
            watcher.start()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        if watch_memory:
            watcher.join()
        self.wall = time.perf_counter() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        if process.returncode != 0:
            raise SystemExit(f"bench: {' '.join(map(str, words))}: {errors.decode(errors='replace').strip()[-400:]}")
        printed.seek(0)
        self.out = printed.read().decode(errors="replace")
