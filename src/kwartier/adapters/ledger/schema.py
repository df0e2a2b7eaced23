"""The tables of the ledger. No column has room for an accounting point."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# In order; what a ledger holds is the last that was applied, and the last here is this code's.
REVISIONS = ("0001", "0002")
REVISION_TABLE = "kwartier_revision"

METADATA = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# The home that the ledger belongs to: one row.
HOME = Table(
    "home",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("home", Text, nullable=False),
    CheckConstraint("one = 1", "one"),
)

# `moment` is the known_at of a kind that is made as often as it is asked, and 0 of a kind of the
# calendar: so whoever claims a calendar run, at whatever moment, claims the same one.
RUNS = Table(
    "runs",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("run", String(36), nullable=False, unique=True),
    Column("market_day", Date, nullable=False),
    Column("grid_area", String(18), nullable=False),
    Column("kind", Text, nullable=False),
    Column("known_at", BigInteger, nullable=False),
    Column("moment", BigInteger, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("worker", Text),
    Column("lease_until", BigInteger),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("version", Text),
    Column("digest", Text),
    Column("previous", String(36), ForeignKey("runs.run")),
    Column("same_as", String(36), ForeignKey("runs.run")),
    Column("reason", Text),
    Column("blocks", Integer),
    Column("blocks_computed", Integer),
    UniqueConstraint("market_day", "grid_area", "kind", "moment", "turn"),
    CheckConstraint("(state = 'running') = (finished_at IS NULL)", "finished"),
    CheckConstraint("state <> 'complete' OR digest IS NOT NULL", "complete"),
    CheckConstraint("(state = 'unchanged') = (same_as IS NOT NULL)", "unchanged"),
    Index(None, "market_day", "grid_area", "number"),
    Index(None, "state"),
)


def _run() -> Column[str]:
    return Column("run", String(36), ForeignKey("runs.run"), primary_key=True)


EVENTS = Table(
    "events",
    METADATA,
    _run(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("worker", Text),
    Column("note", Text),
)

# Hundreds of files are read for a run, and read again for the next: each is named once.
FILES = Table(
    "files",
    METADATA,
    Column("file", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    UniqueConstraint("path", "sha256"),
)

INPUTS = Table(
    "inputs",
    METADATA,
    Column("number", Integer, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("file", Integer, ForeignKey("files.file"), primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

PARAMETERS = Table(
    "parameters",
    METADATA,
    _run(),
    Column("name", Text, primary_key=True),
    Column("since", Date, nullable=False),
    Column("value", Text, nullable=False),
)

RESULTS = Table(
    "results",
    METADATA,
    _run(),
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
)

# A run is published once, and of a day and area in order: both are keys.
PUBLICATIONS = Table(
    "publications",
    METADATA,
    _run(),
    Column("market_day", Date, nullable=False),
    Column("grid_area", String(18), nullable=False),
    Column("publication", Integer, nullable=False),
    UniqueConstraint("market_day", "grid_area", "publication"),
)

# What is to be sent, and what became of it: a row is written in the transaction that publishes its
# run. `publication` and `sequence` order what goes to a receiver about a day and area.
MESSAGES = Table(
    "messages",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("message", String(36), nullable=False, unique=True),
    Column("run", String(36), ForeignKey("runs.run"), nullable=False),
    Column("publication", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("process", String(8), nullable=False),
    Column("format", Text, nullable=False),
    Column("sender", String(13), nullable=False),
    Column("receiver", String(13), nullable=False),
    Column("market_day", Date, nullable=False),
    Column("grid_area", String(18), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("place", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", Text, nullable=False),
    Column("released_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("worker", Text),
    Column("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    Column("due_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("codes", Text),
    Column("reason", Text),
    UniqueConstraint("run", "sequence"),
    CheckConstraint("(state = 'released' OR state = 'overdue') = (next_at IS NOT NULL)", "turn"),
    CheckConstraint("(worker IS NULL) = (lease_until IS NULL)", "lease"),
    Index(None, "receiver", "grid_area", "market_day", "publication"),
    Index(None, "state", "next_at"),
)

MESSAGE_EVENTS = Table(
    "message_events",
    METADATA,
    Column("message", String(36), ForeignKey("messages.message"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("worker", Text),
    Column("note", Text),
)

# Every answer that came, by its bytes; `message` is empty where it is about none of ours.
ANSWERS = Table(
    "answers",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("message", String(36), ForeignKey("messages.message")),
    Column("sender", String(13), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Index(None, "outcome"),
)
