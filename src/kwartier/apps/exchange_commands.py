"""Commands that send what runs released, and show what became of it."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import kwartier
from kwartier.apps.options import (
    CANNOT,
    AreaOption,
    HomeOption,
    JsonOption,
    MaybeDayOption,
    ToOption,
    app,
    parse_moment,
    told,
)

if TYPE_CHECKING:
    from kwartier.adapters.ledger import Message

exchange = typer.Typer(
    help="Send what published runs released to its receivers, and take in their answers.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(exchange, name="exchange")


@exchange.command(epilog="Example: kwartier exchange send --home my-home")
def send(
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment, help="As if it were this moment; default now.", metavar="MOMENT"
        ),
    ] = None,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Send what is due, to all receivers side by side, and take in the answers.

    What brought no positive answer is sent again when its turn comes, under the same id.
    """
    with told():
        from kwartier import runs
        from kwartier.apps import exchange_screen

        kept = kwartier.Home(home)
        done = runs.send(kept, at=at)
        now = runs.seconds(at)
        failed = exchange_screen.failed(done.messages)
        if as_json:
            print(json.dumps(exchange_screen.plain(done.messages, done.not_taken, now)))
        else:
            acknowledged = sum(one.state == "acknowledged" for one in done.messages)
            print(f"{done.delivered:,} messages sent, {acknowledged:,} acknowledged")
            for one in failed:
                print(exchange_screen.line(one), file=sys.stderr)
            for answer in done.not_taken:
                print(exchange_screen.refused(answer), file=sys.stderr)
    if failed or done.not_taken:
        raise typer.Exit(CANNOT)


@exchange.command(
    epilog="Example: kwartier exchange status --home my-home, or "
    "kwartier exchange status --message 1f0c9a2e --home my-home"
)
def status(
    day: MaybeDayOption = None,
    to: ToOption = None,
    area: AreaOption = None,
    message: Annotated[
        str | None,
        typer.Option(help="One message, by the beginning of its id, with all that happened to it."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were acknowledged.")
    ] = False,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """List what is to be sent and what was not acknowledged, with the reason."""
    if to is not None and day is None:
        raise typer.BadParameter("--to goes with --day")
    with told():
        from kwartier import runs
        from kwartier.adapters.ledger import letters
        from kwartier.apps import exchange_screen

        outbox = runs.ledger_of(kwartier.Home(home)).outbox
        now = runs.seconds(None)
        if message is not None:
            one = outbox.get(message)
            events = outbox.events(one)
            if as_json:
                print(json.dumps(exchange_screen.plain_message(one, now, events)))
            else:
                exchange_screen.show_message(one, events, now)
            return
        states = [state for state in letters.STATES if everything or state != letters.ACKNOWLEDGED]
        found = outbox.messages(first=day, last=to or day, grid_area=area, states=states)
        not_taken = outbox.answers(letters.NOT_TAKEN)
        if as_json:
            said = exchange_screen.plain(found, not_taken, now)
            print(json.dumps({**said, "counts": outbox.counts()}))
        else:
            exchange_screen.show(found, not_taken, outbox.counts(), now)


@exchange.command(
    epilog="Example: kwartier exchange resend 1f0c9a2e --home my-home, or "
    "kwartier exchange resend --refused --overdue --home my-home"
)
def resend(
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE]…", help="The beginning of the id of a message."),
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="All that were refused.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="All that are overdue.")] = False,
    undeliverable: Annotated[
        bool, typer.Option("--undeliverable", help="All that could not be delivered.")
    ] = False,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Release messages again, under their own ids; the next 'exchange send' sends them.

    One of an earlier run of which a later one went to the receiver is not sent again.
    """
    from kwartier.adapters.ledger import letters

    asked = {
        letters.REFUSED: refused,
        letters.OVERDUE: overdue,
        letters.UNDELIVERABLE: undeliverable,
    }
    states = [state for state, wanted in asked.items() if wanted]
    if not messages and not states:
        raise typer.BadParameter("give messages, --refused, --overdue or --undeliverable")
    with told():
        from kwartier import runs
        from kwartier.apps import exchange_screen

        kept = kwartier.Home(home)
        outbox = runs.ledger_of(kept).outbox
        wanted: dict[str, Message] = {}
        for one in map(outbox.get, messages or ()):
            wanted[one.message] = one
        for one in outbox.messages(states=states) if states else ():
            wanted[one.message] = one
        released, problems = runs.resend(kept, list(wanted.values()))
        if as_json:
            print(json.dumps(exchange_screen.plain(released, [], runs.seconds(None))))
        else:
            print(f"{len(released):,} messages released again; 'kwartier exchange send' sends them")
        for problem in problems:
            print(f"kwartier: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(CANNOT)


@exchange.command(epilog="Example: kwartier exchange acknowledge answer.xml --home my-home")
def acknowledge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Acknowledgements.")],
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Take in acknowledgements that came by another way; each counts once."""
    with told():
        from kwartier import runs
        from kwartier.adapters.ledger import letters
        from kwartier.apps import exchange_screen

        answered = runs.acknowledge(kwartier.Home(home), files)
        refused = [answer for answer in answered if answer.outcome == letters.NOT_TAKEN]
        if as_json:
            print(json.dumps([vars(answer) for answer in answered]))
        else:
            print(f"{len(answered) - len(refused):,} of {len(answered):,} answers taken in")
            for answer in refused:
                print(exchange_screen.refused(answer), file=sys.stderr)
    if refused:
        raise typer.Exit(CANNOT)
