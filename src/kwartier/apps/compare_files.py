"""What a comparison found, as rows: every number of its page, in CSV files beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from kwartier import periods
from kwartier.studies import fairness, ways
from kwartier.studies.comparing import Comparison
from kwartier.studies.fairness import MEASURES, Verdict

Row = dict[str, Any]
_UNITS = {"error": "error_percent", "paid": "paid_eur_per_mwh", "corrected": "corrected_percent"}


def rows_of(made: Comparison) -> dict[str, list[Row]]:
    """Give the rows of every file, by its name without .csv."""
    return {
        "totals": list(_totals(made)),
        "parties": list(_parties(made)),
        "sweeps": list(_sweeps(made)),
        "resamples": list(_resamples(made)),
        "quarters": list(_quarters(made)),
    }


def write(folder: Path, rows: Mapping[str, list[Row]]) -> list[Path]:
    """Write the files; of one without rows there is none, and an older one goes."""
    written = []
    for name, lines in rows.items():
        path = folder / f"{name}.csv"
        if not lines:
            path.unlink(missing_ok=True)
            continue
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
        written.append(path)
    return written


def sums(verdict: Verdict) -> Row:
    """Write a verdict: energy in Wh, money in euros, both exact."""
    return {
        "energy_wh": verdict.energy_wh,
        "error_quarter_wh": verdict.quarter_wh,
        "error_day_wh": verdict.day_wh,
        "to_correct_wh": verdict.reconcile_wh,
        "not_measured_wh": verdict.provisional_wh,
        "charged_eur": f"{fairness.euros(verdict.charged):f}",
        "credited_eur": f"{fairness.euros(verdict.credited):f}",
        "net_eur": f"{fairness.euros(verdict.credited - verdict.charged):f}",
    }


def shown(value: Fraction | float, digits: int = 4) -> str:
    """Write a share or a rate, rounded, without a float's tail."""
    return f"{Decimal(round(value * 10**digits)).scaleb(-digits):f}"


def interval_of(made: Comparison, way: str, measure: str) -> tuple[float, float] | None:
    """Give the interval of a measure of all parties together; None where nothing was drawn."""
    if not made.drawn:
        return None
    result = float(fairness.measures(made.answer.total(way))[measure])
    drawn = [float(fairness.measures(one[way])[measure]) for one in made.drawn]
    return fairness.interval(result, drawn)


def _totals(made: Comparison) -> Iterable[Row]:
    for way in ways.WAYS:
        verdict = made.answer.total(way)
        row: Row = {"way": way, **sums(verdict)}
        for measure in MEASURES:
            row[_UNITS[measure]] = shown(fairness.measures(verdict)[measure])
            ends = interval_of(made, way, measure)
            row[f"{_UNITS[measure]}_low"] = "" if ends is None else shown(ends[0])
            row[f"{_UNITS[measure]}_high"] = "" if ends is None else shown(ends[1])
        for name, factor in zip(("low", "mean", "high"), made.answer.factor[way], strict=True):
            row[f"factor_{name}"] = shown(Fraction(factor, 10**5), 5)
        yield row


def _parties(made: Comparison) -> Iterable[Row]:
    for level, by_way in made.answer.verdicts.items():
        for way, verdicts in by_way.items():
            for party, verdict in verdicts.items():
                name = made.answer.words.get(party, "")
                yield {"level": level, "party": party, "name": name, "way": way, **sums(verdict)}


def _sweeps(made: Comparison) -> Iterable[Row]:
    for name, by_share in made.swept.items():
        for share, by_way in by_share.items():
            for way, verdict in by_way.items():
                yield {"varied": name, "share": share, "way": way, **sums(verdict)}


def _resamples(made: Comparison) -> Iterable[Row]:
    for turn, by_way in enumerate(made.drawn, 1):
        for way, verdict in by_way.items():
            yield {"resample": turn, "way": way, **sums(verdict)}


def _quarters(made: Comparison) -> Iterable[Row]:
    answer, at = made.answer, 0
    for day in answer.days:
        for position in range(1, periods.count(day) + 1):
            for b, brp in enumerate(answer.brps):
                row: Row = {
                    "market_day": day.isoformat(),
                    "position": position,
                    "brp": brp,
                    "price_surplus_cent_per_mwh": int(answer.prices.surplus[at]),
                    "price_shortage_cent_per_mwh": int(answer.prices.shortage[at]),
                    "true_position_wh": int(answer.true_position[b, at]),
                }
                for way in ways.WAYS:
                    row[f"error_{way}_wh"] = int(answer.position[way][b, at])
                yield row
            at += 1
