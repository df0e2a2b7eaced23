"""A process that is killed at any write step leaves the old state or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("act", "steps"),
    [
        ("register", 10),
        ("couplings", 10),
        ("volumes", 25),
        ("fractions", 10),
        ("parameters", 8),
        ("ingest", 40),
        ("correct", 40),
        ("allocate", 25),
        ("allocate-again", 25),
    ],
)
def test_whenever_it_is_killed_the_next_start_is_whole(
    act: str, steps: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", str(tmp_path), act],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end["end"] == 0, done.stderr[-2000:] + str(lines[-2:])
    kills = list(zip(lines[::2], lines[1::2], strict=True))
    assert len(kills) == end["tries"] - 1 >= steps
    states = []
    for number, (kill, after) in enumerate(kills, start=1):
        at = f"killed before {kill['step']}, step {number}: {after}"
        assert after["state"], at
        assert after["answers"], at
        assert after["redone"], at
        assert not after["left"], at
        states.append("old" if "old" in after["state"] else "new")
    # It becomes new once, and stays so.
    assert states == sorted(states, key=["old", "new"].index)
