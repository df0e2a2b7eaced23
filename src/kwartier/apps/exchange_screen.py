"""Messages for people and for programs: what is sent to whom, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kwartier.adapters.ledger import letters
from kwartier.apps import screen
from kwartier.apps.run_screen import SHORT, moment

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Answered, Event, Message

STATES = (
    "released: to be sent; sent: to be answered; acknowledged: accepted; refused: the receiver\n"
    "says why not; overdue: not answered in time, and sent again; undeliverable: see the reason.\n"
    "'kwartier exchange resend' releases what was refused or undeliverable again."
)


def failed(messages: Sequence[Message]) -> list[Message]:
    """Keep those of which somebody should know: refused, overdue, or not brought over."""
    fine = (letters.ACKNOWLEDGED, letters.SENT)
    return [one for one in messages if one.state not in fine]


def age(message: Message, now: int) -> str:
    """Write how long ago a message was released."""
    minutes = max(0, now - message.released_at) // 60
    days, hours = minutes // 1440, minutes // 60
    if days:
        return f"{days} d"
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"


def line(message: Message) -> str:
    """Tell in a line what became of a message."""
    words = [message.process, "to", message.receiver, "of", str(message.market_day)]
    words += [message.grid_area, "message", message.message, message.state]
    said = " ".join(filter(None, (message.codes, message.reason)))
    return " ".join(words) + (f": {said}" if said else "")


def refused(answer: Answered) -> str:
    """Tell in a line why an answer was not taken."""
    of = f" of message {answer.message}" if answer.message else ""
    sender = f" from {answer.sender}" if answer.sender else ""
    return f"answer{of}{sender} not taken: {answer.reason}"


def plain_message(message: Message, now: int, events: Sequence[Event] = ()) -> dict[str, Any]:
    """Give a message for programs."""
    row: dict[str, Any] = {**vars(message), "market_day": message.market_day.isoformat()}
    row["age_seconds"] = max(0, now - message.released_at)
    if events:
        row["events"] = [vars(event) for event in events]
    return row


def plain(messages: Sequence[Message], not_taken: Sequence[Answered], now: int) -> dict[str, Any]:
    """Give messages, and answers that were not taken, for programs."""
    return {
        "messages": [plain_message(one, now) for one in messages],
        "answers_not_taken": [vars(answer) for answer in not_taken],
    }


def show(
    messages: Sequence[Message],
    not_taken: Sequence[Answered],
    counts: Mapping[str, int],
    now: int,
) -> None:
    """Show messages in order of release, how many there are of each state, and odd answers."""
    if messages:
        rows = [
            [
                *(one.message[:SHORT], one.process, one.receiver, str(one.market_day)),
                *(one.grid_area, one.run[:SHORT], one.state),
                " ".join(filter(None, (one.codes, one.reason))),
                f"{one.attempts}",
                age(one, now),
            ]
            for one in messages
        ]
        heads = ["message", "process", "receiver", "market day", "grid area", "run", "state"]
        screen.draw("messages", [*heads, "reason", "attempts", "age"], rows, 8)
        print(STATES)
    print(", ".join(f"{count:,} {state}" for state, count in counts.items()) or "No messages.")
    for answer in not_taken:
        print(f"{moment(answer.at)}  {refused(answer)}")


def show_message(message: Message, events: Sequence[Event], now: int) -> None:
    """Show one message and what happened to it."""
    print(line(message))
    print(f"of run {message.run}, publication {message.publication}, format {message.format}")
    print(f"content {message.place}, SHA-256 {message.sha256}")
    if message.next_at is not None:
        print(f"to be sent from {moment(message.next_at)} on")
    if message.state == letters.SENT:
        print(f"to be answered by {moment(message.due_at)}")
    rows = [[moment(one.at), one.event.replace("_", " "), one.note or ""] for one in events]
    screen.draw(f"events, released {age(message, now)} ago", ["at", "event", "note"], rows, 3)
