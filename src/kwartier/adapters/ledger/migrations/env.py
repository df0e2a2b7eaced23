"""What alembic runs to take the steps: in the transaction that is handed to it."""

from alembic import context

from kwartier.adapters.ledger.schema import METADATA, REVISION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=REVISION_TABLE,
)
context.run_migrations()
