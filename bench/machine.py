"""What every bench needs: the machine in words, timing, an aligned table. Plain Python."""
import os
import pathlib
import platform
import resource
import subprocess
import time


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return "not installed"


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe(dstore, folder):
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    print(f"machine   {processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.release()}")
    print(f"folder    {folder} ({first_line('stat', '-f', '-c', '%T', folder)})")
    print(f"versions  {first_line(dstore, '--version')}; {' '.join(first_line('openssl', 'version').split()[:2])}; {first_line('git', '--version')}; "
          f"Python {platform.python_version()}")
    print(f"load      {os.getloadavg()[0]:.2f} (a busy machine gives slower numbers; the ratios suffer less)")


def run(*command, cwd=None):
    """Run quietly; an error of the command is an error of the bench, with its text."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def cost(action):
    """(wall seconds, CPU seconds of the children it ran)."""
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = used()
    wall = seconds(action)
    return wall, used() - before


def table(title, head, rows):
    print(f"\n{title}")
    rows = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
