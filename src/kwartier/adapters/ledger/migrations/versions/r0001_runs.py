"""The first tables: runs, their events, what they read and made, and publications."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _run() -> sa.Column[str]:
    return sa.Column("run", sa.String(36), sa.ForeignKey("runs.run"), primary_key=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "home",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("home", sa.Text, nullable=False),
        sa.CheckConstraint("one = 1", "one"),
    )
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(36), nullable=False, unique=True),
        sa.Column("market_day", sa.Date, nullable=False),
        sa.Column("grid_area", sa.String(18), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("known_at", sa.BigInteger, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("version", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("previous", sa.String(36), sa.ForeignKey("runs.run")),
        sa.Column("same_as", sa.String(36), sa.ForeignKey("runs.run")),
        sa.Column("reason", sa.Text),
        sa.Column("blocks", sa.Integer),
        sa.Column("blocks_computed", sa.Integer),
        sa.UniqueConstraint("market_day", "grid_area", "kind", "moment", "turn"),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", "finished"),
        sa.CheckConstraint("state <> 'complete' OR digest IS NOT NULL", "complete"),
        sa.CheckConstraint("(state = 'unchanged') = (same_as IS NOT NULL)", "unchanged"),
    )
    op.create_index(None, "runs", ["market_day", "grid_area", "number"])
    op.create_index(None, "runs", ["state"])
    op.create_table(
        "events",
        _run(),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("note", sa.Text),
    )
    op.create_table(
        "files",
        sa.Column("file", sa.Integer, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.UniqueConstraint("path", "sha256"),
    )
    number, file = sa.ForeignKey("runs.number"), sa.ForeignKey("files.file")
    op.create_table(
        "inputs",
        sa.Column("number", sa.Integer, number, primary_key=True, autoincrement=False),
        sa.Column("file", sa.Integer, file, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parameters",
        _run(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", sa.Date, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "results",
        _run(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_table(
        "publications",
        _run(),
        sa.Column("market_day", sa.Date, nullable=False),
        sa.Column("grid_area", sa.String(18), nullable=False),
        sa.Column("publication", sa.Integer, nullable=False),
        sa.UniqueConstraint("market_day", "grid_area", "publication"),
    )
