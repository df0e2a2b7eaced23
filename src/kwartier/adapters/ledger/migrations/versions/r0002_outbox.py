"""The outbox: messages that published runs send, their events, and the answers to them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; what was published before is not sent."""
    op.create_table(
        "messages",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("message", sa.String(36), nullable=False, unique=True),
        sa.Column("run", sa.String(36), sa.ForeignKey("runs.run"), nullable=False),
        sa.Column("publication", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("process", sa.String(8), nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("sender", sa.String(13), nullable=False),
        sa.Column("receiver", sa.String(13), nullable=False),
        sa.Column("market_day", sa.Date, nullable=False),
        sa.Column("grid_area", sa.String(18), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("codes", sa.Text),
        sa.Column("reason", sa.Text),
        sa.UniqueConstraint("run", "sequence"),
        sa.CheckConstraint(
            "(state = 'released' OR state = 'overdue') = (next_at IS NOT NULL)", "turn"
        ),
        sa.CheckConstraint("(worker IS NULL) = (lease_until IS NULL)", "lease"),
    )
    op.create_index(None, "messages", ["receiver", "grid_area", "market_day", "publication"])
    op.create_index(None, "messages", ["state", "next_at"])
    message = sa.ForeignKey("messages.message")
    op.create_table(
        "message_events",
        sa.Column("message", sa.String(36), message, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("note", sa.Text),
    )
    op.create_table(
        "answers",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("message", sa.String(36), sa.ForeignKey("messages.message")),
        sa.Column("sender", sa.String(13), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index(None, "answers", ["outcome"])
