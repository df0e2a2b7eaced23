"""How the tables of a ledger came to be, step by step; alembic takes the steps."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def configuration() -> Config:
    """Give what alembic needs to find the steps."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date within the transaction of a connection."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
