"""Running processes and measuring them: wall clock, CPU and peak memory of each.

This module and whoever starts the processes import nothing large: on Linux a child begins with the
peak memory of the process that it was started from.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


class Cost(NamedTuple):
    """What one run of a process took."""

    wall: float  # s
    cpu: float  # s, user and system
    peak: int  # bytes
    told: Mapping[str, Any]  # what it printed in JSON

    @property
    def inside(self) -> float:
        """The seconds without start-up, where the process told them."""
        return float(self.told.get("seconds", self.wall))


@dataclass
class Work:
    """A process to run several times, and what its runs took.

    `before` is called ahead of each run and is not measured.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None
    costs: list[Cost] = field(default_factory=list)

    def run(self) -> Cost:
        """Run it once more."""
        if self.before:
            self.before()
        cost = measure(self.argv, self.environment)
        self.costs.append(cost)
        return cost

    def middle(self, of: str = "wall") -> float:
        """Give the median of wall, cpu, peak or inside."""
        return float(median(getattr(cost, of) for cost in self.costs))


def python(module: str, *arguments: object) -> list[str]:
    """Write the command that runs a module of this project."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def kwartier(*arguments: object) -> list[str]:
    """Write the command that runs kwartier, as its console script does."""
    script = "import sys; from kwartier.apps.cli import main; sys.argv[0] = 'kwartier'; main()"
    return [sys.executable, "-c", script, *map(str, arguments)]


def measure(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a process to its end.

    Raises
    ------
    RuntimeError : it failed; the text is what it said.
    """
    # What is installed has its bytecode beside it; this lets a checkout have it too.
    held = {name: said for name, said in os.environ.items() if name != _NO_BYTECODE}
    start = perf_counter()
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**held, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed with {process.returncode}:\n{said}")
    lines = said.strip().splitlines()
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * _PEAK_UNIT, told)


def interleaved(works: Sequence[Work], rounds: int) -> None:
    """Run all works round by round, so that what disturbs the machine disturbs all alike."""
    for round_ in range(1, rounds + 1):
        for work in works:
            cost = work.run()
            print(
                f"  round {round_} of {rounds}  {work.name:<34} {cost.wall:8.2f} s"
                f"  {cost.peak / 1e6:7.0f} MB",
                file=sys.stderr,
            )


def machine(threads: int) -> str:
    """Say what it was measured on."""
    cpu, memory = platform.processor() or platform.machine(), ""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    if Path("/proc/meminfo").exists():
        kilobytes = int(Path("/proc/meminfo").read_text("utf-8").split()[1])
        memory = f", {kilobytes / 2**20:.0f} GiB memory"
    return (
        f"{cpu}, {os.cpu_count()} cores of which {threads} used{memory}, "
        f"{platform.system()} {platform.machine()}"
    )


def versions() -> str:
    """Say what was measured."""
    names = ["pyarrow", "numpy", "numba", "duckdb", "polars"]
    held = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, kwartier {version('kwartier')}, {held}"
