"""The command that receives documents of other parties, and shows what came in."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kwartier
from kwartier.apps.options import (
    CANNOT,
    HomeOption,
    JsonOption,
    MaybeDayOption,
    StorageOption,
    app,
    told,
)

if TYPE_CHECKING:
    from kwartier.runs import Reception, Server, Us

_PIN = re.compile(r"(\d{13})=((?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2})")


@app.command(
    epilog="Example: kwartier receive --folder in --party 8712423014022 --home my-home, or "
    "kwartier receive --listen 0.0.0.0:8443 --party 8712423014022 --certificate server.pem "
    "--key server.key --authority market.pem --home my-home, or "
    "kwartier receive --status --home my-home"
)
def receive(
    folder: Annotated[
        Path | None,
        typer.Option(help="Receive what lies in this folder, once.", metavar="FOLDER"),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            help="Receive over HTTPS on this address until stopped; port 0: any that is free.",
            metavar="HOST:PORT",
        ),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="List what was received, and how it was answered.")
    ] = False,
    party: Annotated[
        str | None,
        typer.Option(envvar="KWARTIER_PARTY", help="Who receives.", metavar="GLN"),
    ] = None,
    role: Annotated[
        str,
        typer.Option(help="As what: DDK balance responsible party, EZ the TSO.", metavar="ROLE"),
    ] = "DDK",
    certificate: Annotated[
        str | None,
        typer.Option(
            help="With --listen: the server's certificate, a PEM file or env:VARIABLE.",
            metavar="PEM",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="With --listen: its key, a PEM file or env:VARIABLE; a password is taken from "
            "KWARTIER_KEY_PASSWORD.",
            metavar="PEM",
        ),
    ] = None,
    authority: Annotated[
        str | None,
        typer.Option(
            help="With --listen: who signs the certificates of senders, a PEM file or "
            "env:VARIABLE.",
            metavar="PEM",
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            help="With --listen: a certificate by its SHA-256, and the party that it alone stands "
            "for; may be given again.",
            metavar="GLN=SHA256",
        ),
    ] = None,
    day: MaybeDayOption = None,
    home: HomeOption = Path("kwartier-home"),
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Receive documents of other parties: check, store and acknowledge them.

    What was received is shown by `kwartier show received --day DAY`.
    """
    if (folder is not None) + (listen is not None) + status != 1:
        raise typer.BadParameter("give one of --folder, --listen and --status")
    if day is not None and not status:
        raise typer.BadParameter("--day goes with --status")
    if listen is None and (certificate, key, authority, pin) != (None, None, None, None):
        raise typer.BadParameter("--certificate, --key, --authority and --pin go with --listen")
    pins = dict(_pin(text) for text in pin or ())
    with told():
        if status:
            _show(kwartier.Home(home), day, as_json)
            return
        us = _us(party, role)
        kept = kwartier.Home(home, create=True, storage=storage)
        from kwartier import runs

        if folder is not None:
            _tell_all(
                [_tell(one, as_json) for one in runs.receive_folder(kept, folder, us)], as_json
            )
        elif listen is not None:
            from kwartier.adapters.transport import Keys

            host, port = _place(listen)
            keys = Keys(certificate or "", key or "", authority or "")
            server = runs.Server(
                kept, us, keys, pins=pins, tell=lambda one: _line(one, as_json), warn=_warn
            )
            try:
                asyncio.run(_serve(server, host, port))
            except OSError as error:
                print(f"kwartier: {listen}: {error.strerror or error}", file=sys.stderr)
                raise typer.Exit(CANNOT) from None


def _us(party: str | None, role: str) -> Us:
    from kwartier import runs
    from kwartier.adapters import transport

    if party is None or not transport.is_gln(party):
        raise typer.BadParameter("--party: expected the GLN-13 of who receives")
    if role not in runs.ROLES:
        raise typer.BadParameter(f"--role: expected {' or '.join(runs.ROLES)}")
    return runs.Us(party, role)


def _pin(text: str) -> tuple[str, str]:
    from kwartier.adapters import transport

    found = _PIN.fullmatch(text)
    if found is None or not transport.is_gln(found[1]):
        raise typer.BadParameter("--pin: expected GLN=SHA256, 13 digits and 64 hexadecimals")
    return found[2].replace(":", "").lower(), found[1]


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise typer.BadParameter("--listen: expected HOST:PORT, as 0.0.0.0:8443")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _serve(server: Server, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with server.open(host, port) as (name, number):
        print(f"Listening on {name} port {number}; stop with Ctrl-C.", file=sys.stderr, flush=True)
        await stopped.wait()


def _plain(one: Reception) -> dict[str, Any]:
    return {
        "message": one.message,
        "sender": one.sender,
        "process": one.process,
        "market_day": one.market_day.isoformat() if one.market_day else None,
        "created_at": one.created_at,
        "received_at": one.received_at,
        "series": one.series,
        "accepted": one.accepted,
        "again": one.again,
        "reasons": [vars(reason) for reason in one.reasons],
    }


def _told(one: Reception) -> str:
    what = f"{one.process} of {one.market_day} from {one.sender}, message {one.message}"
    said = "accepted" if one.accepted else "refused"
    why = "; ".join(
        f"{reason.code} {reason.text}" + (f" (series {reason.series})" if reason.series else "")
        for reason in one.reasons
        if not one.accepted
    )
    again = " again" if one.again else ""
    return f"{what if one.message else 'unreadable'}: {said}{again}" + (f": {why}" if why else "")


def _tell(one: Reception, as_json: bool) -> Reception:
    if not as_json:
        _line(one, as_json)
    return one


def _tell_all(taken: list[Reception], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_plain(one) for one in taken]))
    elif not taken:
        print("Nothing lies there.")


def _line(one: Reception, as_json: bool) -> None:
    """Tell of one document: on a line of its own, also of JSON."""
    if as_json:
        print(json.dumps(_plain(one)), flush=True)
    else:
        print(_told(one), file=None if one.accepted else sys.stderr, flush=True)


def _warn(why: str) -> None:
    print(f"kwartier: a document was not taken: {why}", file=sys.stderr, flush=True)


def _show(home: kwartier.Home, day: date | None, as_json: bool) -> None:
    from kwartier import runs
    from kwartier.apps import run_screen, screen

    found = runs.receptions(home, day)
    if as_json:
        print(json.dumps([_plain(one) for one in found]))
        return
    if not found:
        print("Nothing was received.")
        return
    heads = ["received", "market_day", "process", "sender", "message", "answer", "series"]
    rows = [
        [
            run_screen.moment(one.received_at),
            str(one.market_day),
            one.process,
            one.sender,
            one.message,
            " ".join(dict.fromkeys(reason.code for reason in one.reasons)),
            f"{one.series:,}",
        ]
        for one in found
    ]
    screen.draw("received", heads, rows, len(heads) - 1)
    for one in found:
        if not one.accepted:
            print(_told(one), file=sys.stderr)
