"""A process that is killed at any step leaves the old state or the new one.

A run keeps its id and its bytes and is published once, wherever its worker was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# What is done, and how many steps it has at least.
ACTS = {
    "register": 20,
    "couplings": 15,
    "volumes": 40,
    "fractions": 15,
    "parameters": 10,
    "receive": 10,
    "ingest": 40,
    "correct": 40,
    "allocate": 80,
    "allocate-again": 8,
    "run-due": 80,
    "run-sends": 80,
    "run-again": 60,
}


def killed(folder: Path, act: str, every: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", str(folder), act, str(every)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end["end"] == 0, done.stderr[-2000:] + str(lines[-2:])
    kills = list(zip(lines[::2], lines[1::2], strict=True))
    assert len(kills) == end["tries"] - 1 >= ACTS[act] // every
    states = []
    for number, (kill, after) in enumerate(kills):
        at = f"killed before {kill['step']}, step {1 + number * every}: {after}"
        assert after["state"], at
        assert after["answers"], at
        assert after["redone"], at
        assert not after["left"], at
        assert not after["lost"], at
        assert not after["running"], at
        states.append("old" if "old" in after["state"] else "new")
    # It becomes new once, and stays so.
    assert states == sorted(states, key=["old", "new"].index)


@pytest.mark.parametrize(
    "act", ["register", "ingest", "correct", "allocate", "run-again", "run-sends"]
)
def test_wherever_it_is_killed_the_next_start_is_whole(act: str, tmp_path: Path) -> None:
    killed(tmp_path, act, every=11)


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_whenever_it_is_killed_the_next_start_is_whole(act: str, tmp_path: Path) -> None:
    killed(tmp_path, act, every=1)
