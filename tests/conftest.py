"""What every test shares: the hypothesis profile, the real data and the databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import databases

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

# No test pulls the plug of the machine, and a slow disk would take as long as all else.
os.fsync = lambda handle: None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the directory of the real data, which never are part of the project."""
    path = Path(os.environ.get("KWARTIER_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"real data not found at {path}; name their directory in KWARTIER_SHARED")
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[databases.Server]:
    """Give a PostgreSQL server."""
    with databases.server() as server:
        yield server


@pytest.fixture(params=databases.DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database, of each kind that a ledger can be kept in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server: databases.Server = request.getfixturevalue("postgresql")
    return server.make()
