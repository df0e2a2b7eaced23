"""The engine in one process gives the same bytes with several threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import worlds


@pytest.mark.parametrize("seed", [worlds.SPRING, worlds.AUTUMN, worlds.WINTER])
def test_same_bytes(tmp_path: Path, seed: int) -> None:
    worlds.same_bytes(tmp_path, seed, 1, threads=2)
