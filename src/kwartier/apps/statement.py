"""The statement of a party and month as files: a page, CSV, and documents that programs read.

The page is self-contained, every number is in the CSV files, and each day has its document
(EnergyAccount 4.1, A12).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pyarrow.compute as pc

from kwartier import periods
from kwartier.apps import screen
from kwartier.apps.report_cells import kwh, number, table, text
from kwartier.codecs import LEAVING
from kwartier.runs.statements import Statement
from kwartier.steps import settlement
from kwartier.steps.addressing import ENERGY_ACCOUNT

_KIND_WORDS = {
    settlement.PRELIMINARY: "preliminary",
    settlement.FINAL: "final",
    settlement.DIFFERENCE: "difference",
}
_REASON_WORDS = {
    settlement.NO_PROGRAMME: "no programme",
    settlement.NO_PRICE: "no price",
    settlement.OTHERS_OPEN: "others are open",
}


def write(statement: Statement, folder: Path) -> list[Path]:
    """Write the page, the CSV files and the documents of a statement; give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{statement.brp}-{statement.month:%Y-%m}"
    page = folder / f"{name}.html"
    page.write_text(html(statement), "utf-8")
    paths = [page]
    for part, rows in (("quarters", statement.quarters), ("charges", statement.charges)):
        paths.append(folder / f"{name}-{part}.csv")
        screen.export(rows, paths[-1])
    for report in statement.reports:
        paths.append(folder / f"{statement.brp}-{report.market_day}-imbalance.xml")
        paths[-1].write_bytes(LEAVING[ENERGY_ACCOUNT].write(report))
    return paths


def html(statement: Statement) -> str:
    """Write the page."""
    month = f"{statement.month:%Y-%m}"
    words = {
        "title": text(f"Imbalance of {statement.brp}, {month}"),
        "css": resources.files("kwartier.apps").joinpath("assets/report.css").read_text("utf-8"),
        "span": _span(statement),
        "total_table": _totals(statement),
        "unsettled": _unsettled(statement.unsettled),
        "bars": _bars(statement),
        "day_table": _days(statement),
        "quarter_count": number(len(statement.quarters)),
        "quarter_table": _quarters(statement),
    }
    page = resources.files("kwartier.apps").joinpath("assets/statement.html").read_text("utf-8")
    for name, word in words.items():
        page = page.replace("{{" + name + "}}", word)
    return page


def euro(amount: Decimal | None, places: int = 2) -> str:
    """Write an amount or a price with its decimals, as many as asked where it has no more."""
    if amount is None:
        return "\N{EN DASH}"
    exact = amount.normalize()
    exponent = exact.as_tuple().exponent
    places = max(places, -exponent if isinstance(exponent, int) else 0)
    return number(int(amount.scaleb(places)), places)


def _span(statement: Statement) -> str:
    days = statement.quarters["market_day"].unique().to_pylist()
    still = pc.sum(pc.equal(statement.quarters["status"], settlement.OPEN)).as_py() or 0
    text_ = f"{number(len(days))} days settled, {number(len(statement.quarters))} quarter-hours"
    return f"{text_}; {number(still)} of them open" if still else text_


def _totals(statement: Statement) -> str:
    """Tell what each settlement charges, and all of them."""
    keys = ["settled_at", "settlement", "kind"]
    sums = [("market_day", "count"), ("charged_eur", "sum")]
    found = statement.charges.group_by(keys).aggregate(sums).sort_by("settled_at").to_pylist()
    rows = [
        [
            f"{row['settled_at'].astimezone(UTC):%Y-%m-%d %H:%M}Z",
            text(_KIND_WORDS[row["kind"]]),
            text(row["settlement"]),
            number(row["market_day_count"]),
            euro(row["charged_eur_sum"]),
        ]
        for row in found
    ]
    whole = sum((row["charged_eur_sum"] for row in found), Decimal(0))
    rows.append(["all", "", "", "", euro(whole)])
    return table(["settled at", "kind", "settlement", "days", "EUR"], rows, words=3, total=1)


def _unsettled(days: Sequence[date]) -> str:
    if not days:
        return ""
    shown = ", ".join(str(day) for day in days[:5])
    more = f" and {len(days) - 5} more" if len(days) > 5 else ""
    return f"<p class=small>Not settled yet: {shown}{more}.</p>"


def _days(statement: Statement) -> str:
    rows = [
        [
            str(row["market_day"]),
            str(row["version"]),
            text(_KIND_WORDS[row["kind"]]),
            number(row["periods_settled"]),
            number(row["periods_open"]),
            kwh(row["surplus_wh"]),
            kwh(row["shortage_wh"]),
            euro(row["total_eur"]),
            euro(row["before_eur"]),
            euro(row["charged_eur"]),
        ]
        for row in statement.charges.to_pylist()
    ]
    heads = ["market day", "version", "kind", "settled", "open", "surplus kWh", "shortage kWh"]
    return table([*heads, "total EUR", "before EUR", "charged EUR"], rows, words=3)


def _quarters(statement: Statement) -> str:
    rows = []
    for row in statement.quarters.to_pylist():
        local = row["period_start"].astimezone(periods.CLOCK)
        rows.append(
            [
                str(row["market_day"]),
                f"{row['position']}",
                f"{local:%H:%M}",
                text(_REASON_WORDS.get(row["reason"], row["status"])),
                kwh(row["allocated_wh"]),
                _or_dash(row["programme_wh"]),
                _or_dash(row["imbalance_wh"]),
                euro(row["price_eur_per_mwh"]),
                euro(row["amount_eur"], 5),
            ]
        )
    heads = ["market day", "period", "local", "state", "allocated kWh", "programme kWh"]
    return table([*heads, "imbalance kWh", "EUR/MWh", "EUR"], rows, words=4)


def _or_dash(wh: int | None) -> str:
    return "\N{EN DASH}" if wh is None else kwh(wh)


def _bars(statement: Statement) -> str:
    """Draw what each day comes to in its newest version, as bars from 0."""
    newest = {row["market_day"]: row["total_eur"] for row in statement.charges.to_pylist()}
    most = max((abs(total) for total in newest.values()), default=Decimal(0)) or Decimal(1)
    wide, high, left = 24, 90, 70
    parts = []
    for place, (day, total) in enumerate(sorted(newest.items())):
        size = float(abs(total) / most) * high  # of pixels
        top = 100 - size if total > 0 else 100
        colour = "#2a7f62" if total > 0 else "#b5482f"
        x = left + place * wide
        parts.append(
            f'<rect x="{x + 3}" y="{top:.1f}" width="{wide - 6}" height="{max(size, 0.5):.1f}" '
            f'fill="{colour}"><title>{day}: EUR {euro(total)}</title></rect>'
            f'<text x="{x + wide / 2}" y="212" text-anchor="middle">{day.day}</text>'
        )
    end = left + len(newest) * wide
    scale = "".join(
        f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{word}</text>'
        for y, word in ((10, euro(most)), (100, "0"), (190, euro(-most)))
    )
    return (
        f'<svg class=bars viewBox="0 0 {end + 10} 220" role="img" '
        f'aria-label="Amount of each day in EUR">{scale}'
        f'<line x1="{left}" x2="{end}" y1="100" y2="100" stroke="currentColor"/>'
        f"{''.join(parts)}</svg>"
        f"<p class=small>EUR of each day, above 0 to the party, below 0 from it.</p>"
    )
