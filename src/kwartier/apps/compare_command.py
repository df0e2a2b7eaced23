"""The command that compares three ways of allocating on the same days."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kwartier.apps.options import JsonOption, app, progress, told

if TYPE_CHECKING:
    from kwartier.studies.comparing import Comparison

_POINTS = 2_000


@app.command(
    epilog="Example: kwartier compare, or kwartier compare --zonnedael FOLDER --profiles "
    "profiles.csv.gz --prices prices-2023.csv.gz"
)
def compare(
    points: Annotated[
        int | None,
        typer.Option(
            min=300,
            max=200_000,
            help=f"Simulated small connections; default {_POINTS}.",
        ),
    ] = None,
    zonnedael: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the 75 real households of 2013, in place of a simulated market.",
            metavar="FOLDER",
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            help="Standard profiles, as 'kwartier fractions' takes them; default the built-in one.",
            metavar="FILE",
        ),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            help="Prices of imbalance: CSV with start_utc, price_surplus_eur_mwh and "
            "price_shortage_eur_mwh; default a stand-in.",
            metavar="FILE",
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(min=0, max=10_000, help="How often households are drawn again; 0 for never."),
    ] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is left to chance.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processes side by side; default all cores.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the page and its numbers go.")] = Path(
        "kwartier-compare"
    ),
    as_json: JsonOption = False,
) -> None:
    """Compare profiles and smart meters on the same days: who is off, and who pays for it."""
    if zonnedael is not None and points is not None:
        raise typer.BadParameter("give either --points or --zonnedael")
    with told():
        from kwartier.apps import compare_files, compare_page
        from kwartier.studies import comparing

        market = comparing.Market(
            points=points or _POINTS,
            seed=seed,
            households=zonnedael,
            profiles=profiles,
            prices=prices,
        )
        with progress("Comparing", "markets") as show:
            made = comparing.compare(market, resamples=resamples, workers=threads, progress=show)
        out.mkdir(parents=True, exist_ok=True)
        rows = compare_files.rows_of(made)
        files = compare_files.write(out, rows)
        page = out / "report.html"
        compare_page.write(page, made, files)
        if as_json:
            print(json.dumps(_summary(made, rows["totals"], page)))
            return
        _show(made)
        print(f"report: {page}; its numbers: {', '.join(file.name for file in files)}")


def _summary(made: Comparison, totals: list[dict[str, Any]], page: Path) -> dict[str, Any]:
    from kwartier.apps import compare_page

    market = made.market
    return {
        "result": compare_page.headline(made),
        "limits": compare_page.limits(made),
        "days": [day.isoformat() for day in made.answer.days],
        "households": None if market.households is None else 75,
        "points": None if market.households is not None else market.points,
        "seed": market.seed,
        "resamples": len(made.drawn),
        "totals": totals,
        "report": str(page),
    }


def _show(made: Comparison) -> None:
    from kwartier.apps import compare_page, screen
    from kwartier.apps.compare_files import interval_of, shown
    from kwartier.studies import fairness

    rows = []
    for way, word in compare_page.WAY_WORDS.items():
        of = fairness.measures(made.answer.total(way))
        cells = [word]
        for measure in fairness.MEASURES:
            ends = interval_of(made, way, measure)
            between = "" if ends is None else f" ({shown(ends[0], 2)} to {shown(ends[1], 2)})"
            cells.append(shown(of[measure], 2) + between)
        rows.append(cells)
    heads = ["allocated by", "off by quarter, %", "paid for others, EUR/MWh", "corrected later, %"]
    screen.draw(compare_page.headline(made), heads, rows, 1)
    for words in compare_page.limits(made):
        print(f"- {words}")
