"""The states of a run, and the events that lead from one to the next.

    (none) ── claimed ─→ running ── completed ───────→ complete
       │                  │  ↑  ├── found_unchanged ─→ unchanged
       │                  └──┘  ├── refused ─────────→ refused
       │               taken_over └ failed ──────────→ failed
       └──── missed ─→ missed

All but running are ends: a question that was refused, failed or missed is begun anew as another
run, of the next turn.
"""

from __future__ import annotations

from collections.abc import Mapping

from kwartier.adapters.ledger.rows import LedgerError

RUNNING = "running"
COMPLETE = "complete"
UNCHANGED = "unchanged"
REFUSED = "refused"
FAILED = "failed"
MISSED = "missed"

NEXT: Mapping[tuple[str | None, str], str] = {
    (None, "claimed"): RUNNING,
    (None, "missed"): MISSED,
    (RUNNING, "taken_over"): RUNNING,
    (RUNNING, "completed"): COMPLETE,
    (RUNNING, "found_unchanged"): UNCHANGED,
    (RUNNING, "refused"): REFUSED,
    (RUNNING, "failed"): FAILED,
}
STATES = (RUNNING, COMPLETE, UNCHANGED, REFUSED, FAILED, MISSED)
EVENTS = tuple(event for _, event in NEXT)
# A calendar run that came to one of these answers its question for good.
ANSWERED = (COMPLETE, UNCHANGED)


def after(state: str | None, event: str) -> str:
    """Give the state that an event leads to.

    Raises
    ------
    LedgerError : in that state the event cannot be.
    """
    if (state, event) not in NEXT:
        held = f"a run that is {state}" if state else "a run that does not exist"
        allowed = [name for before, name in NEXT if before == state]
        expected = "can be " + " or ".join(allowed) if allowed else "stays so; begin another run"
        raise LedgerError(f"{held} cannot be {event}; it {expected}".replace("_", " "))
    return NEXT[state, event]
