"""The command that publishes for everybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import kwartier
from kwartier.apps.options import (
    AreaOption,
    DayOption,
    HomeOption,
    JsonOption,
    ToOption,
    app,
    days_between,
    told,
)

if TYPE_CHECKING:
    from kwartier.runs.publishing import Publication


@app.command(epilog="Example: kwartier publish --day 2026-03-29 --out open-data --home my-home")
def publish(
    day: DayOption,
    out: Annotated[
        Path, typer.Option(help="Folder for a CSV and a Parquet file of each day.", file_okay=False)
    ],
    to: ToOption = None,
    area: AreaOption = None,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Write what everybody may know of published runs, without what would tell of few.

    It is audited first; a version that would tell of few against the one before it is held back.
    """
    days = days_between(day, to)
    with told():
        from kwartier.runs import publishing

        made = publishing.publish(kwartier.Home(home), days, out, grid_area=area)
    if as_json:
        print(json.dumps([_plain(one) for one in made]))
        return
    for one in made:
        words = {"new": "published", "same": "as published before", "held_back": "held back"}
        print(
            f"{one.market_day} {one.grid_area}: {words[one.state]}"
            + (f", {one.reason}" if one.reason else "")
            + f"; {one.sums:,} sums, {one.left_out:,} left out, of which {one.complement:,} to "
            "protect others; attackable: 0"
        )
    print(f"In {out}.")


def _plain(one: Publication) -> dict[str, object]:
    fields = one._asdict()
    del fields["table"]
    return fields | {"market_day": one.market_day.isoformat(), "attackable": 0}
