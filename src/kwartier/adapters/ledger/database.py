"""The database under the ledger: how it is reached, in which transactions, and how it fails."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from kwartier.adapters.ledger.rows import LedgerError, Unreachable

# How long a transaction waits for another one [s]; each is a few statements.
PATIENCE = 10
# No wait for a server, a network or a peer that is gone lasts for ever; the URL may say otherwise.
_SERVER = {
    "connect_timeout": str(PATIENCE),
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "options": f"-c lock_timeout={PATIENCE}s -c idle_in_transaction_session_timeout=60s",
}
_MIGRATING = 0x6B77617274696572  # any number, the same in every process


class Database:
    """A SQLite file or a PostgreSQL database, by its URL.

    Raises
    ------
    LedgerError : the URL names neither.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self._file: Path | None = None
        if parsed.drivername == "sqlite":
            self._file = Path(str(parsed.database)).absolute()
            self.place = str(self._file)
            self._engine = _sqlite(self._file)
        else:
            # Without what may hold a password.
            plain = URL.create(
                "postgresql", host=parsed.host, port=parsed.port, database=parsed.database
            )
            self.place = plain.render_as_string()
            self._engine = create_engine(
                parsed.set(
                    drivername="postgresql+psycopg", query={**_SERVER, **dict(parsed.query)}
                ),
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
            )

    def make(self) -> None:
        """Make the file, where the database is a file that is not there."""
        if self._file is None or self._file.exists():
            return
        unfinished = self._file.with_name(f"{self._file.name}-{os.getpid()}.unfinished")
        try:
            with closing(sqlite3.connect(unfinished)) as connection:
                # Readers and the one writer do not wait for each other. Only a file that nobody
                # else has open can be made so; who comes second finds it made.
                connection.execute("PRAGMA journal_mode=WAL")
            os.link(unfinished, self._file)
        except FileExistsError:
            pass
        except (OSError, sqlite3.OperationalError) as error:
            raise self._unreachable(str(error)) from None
        finally:
            unfinished.unlink(missing_ok=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction."""
        with self._transaction(immediate=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it or nothing.

        Raises
        ------
        IntegrityError : another transaction wrote the same key first.
        """
        with self._transaction(immediate=True) as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Write in one transaction, while no other process changes tables."""
        with self.writing() as connection:
            if self._file is None:
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            yield connection

    def close(self) -> None:
        """Let go of every connection; the next transaction makes a new one."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, immediate: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(immediate=immediate)
                with connection.begin():
                    yield connection
        except IntegrityError:
            raise
        except UnicodeError:  # a part of a host name of more than 63 characters, for one
            raise self._unreachable("its host has a name that no host can have") from None
        except DBAPIError as error:
            text = (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
            gone = isinstance(error, (OperationalError, InterfaceError))
            if gone or error.connection_invalidated:
                self.close()
                raise self._unreachable(text) from None
            raise LedgerError(f"the ledger {self.place} does not take this: {text}") from None

    def _unreachable(self, text: str) -> Unreachable:
        return Unreachable(
            f"the ledger {self.place} cannot be reached: {text}; "
            "see that the database is there and may be used, and try again"
        )


def _parsed(url: str) -> URL:
    """Read a URL; no error shows any of it, because a password may stand anywhere."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError(
            "the URL of the ledger cannot be read; expected sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise LedgerError(
            "a ledger is kept in SQLite or PostgreSQL; expected a URL that begins with "
            "sqlite:/// or postgresql://"
        )
    if parsed.drivername == "sqlite":
        if parsed.database in (None, "", ":memory:") or parsed.query:
            raise LedgerError("a ledger in SQLite is a file: expected sqlite:///PATH, no options")
    elif url.count("@") > 1:
        raise LedgerError(
            "the URL of the ledger has more than one @; write an @ within the password as %40"
        )
    return parsed


def _sqlite(file: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # A file that went away is not made anew: an empty ledger would publish everything again.
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode=rw",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,  # threads have it one after another
        )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")  # what is committed outlives the power
        return connection

    # One connection is kept: to make one takes longer than a transaction of a few statements.
    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=-1
    )

    @event.listens_for(engine, "connect")
    def connected(_: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = _identity(file)

    @event.listens_for(engine, "checkout")
    def taken(_: sqlite3.Connection, entry: ConnectionPoolEntry, *rest: object) -> None:
        # It would go on writing in a file that was moved away.
        if entry.info["file"] != _identity(file):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Who will write takes the lock first, and so never finds that what it read has changed.
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    """Tell one file from another that lies at the same place; None: there is none."""
    try:
        held = file.stat()
    except FileNotFoundError:
        return None
    return held.st_dev, held.st_ino
