"""A run that says how much memory it took, for a process of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from support import FakeEmbedder
from vestige_sql import Target, run_reembed


def peak_mb() -> float:
    """The most memory that this process ever had resident, in MB.

    Not from getrusage(), whose ru_maxrss a process inherits from the one that started it (getrusage(2), execve(2)).
    """
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(peak) / 1024


if __name__ == "__main__":
    conninfo, table, dimension = sys.argv[1:]
    before = peak_mb()
    run_reembed(conninfo, FakeEmbedder("new", int(dimension)), target=Target(table))
    print(peak_mb() - before)
