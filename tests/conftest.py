"""What every test shares: the hypothesis profile and the real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# The same examples on every machine; no timer fails a test, because the first call of a kernel
# compiles it.
settings.register_profile(
    "kwartier",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kwartier")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the directory of the real data, which never are part of the project."""
    path = Path(os.environ.get("KWARTIER_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"real data not found at {path}; name their directory in KWARTIER_SHARED")
    return path
