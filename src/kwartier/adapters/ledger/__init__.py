"""The ledger: which runs there were, of what, in which state, and which of them were published."""

from typing import TYPE_CHECKING, Any

from kwartier.adapters.ledger.letters import Answer, Answered, Letter, Message
from kwartier.adapters.ledger.rows import (
    Content,
    Event,
    LedgerError,
    Overtaken,
    Question,
    Run,
    Unreachable,
)

if TYPE_CHECKING:
    from kwartier.adapters.ledger.ledger import Ledger
    from kwartier.adapters.ledger.outbox import Outbox

__all__ = [
    "Answer",
    "Answered",
    "Content",
    "Event",
    "Ledger",
    "LedgerError",
    "Letter",
    "Message",
    "Outbox",
    "Overtaken",
    "Question",
    "Run",
    "Unreachable",
]


def __getattr__(name: str) -> Any:
    # The database library takes half a second to load; who opens no ledger does not wait for it.
    if name == "Ledger":
        from kwartier.adapters.ledger.ledger import Ledger

        return Ledger
    if name == "Outbox":
        from kwartier.adapters.ledger.outbox import Outbox

        return Outbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
