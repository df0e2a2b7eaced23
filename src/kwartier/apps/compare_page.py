"""The page of a comparison: one HTML file that loads nothing, its result in the first sentence."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from kwartier import periods
from kwartier.apps.compare_files import interval_of, shown
from kwartier.apps.page import as_json, asset, filled, hash_of
from kwartier.apps.report_cells import kwh, number, share, table, text
from kwartier.studies import fairness, ways
from kwartier.studies.comparing import Comparison
from kwartier.studies.fairness import MEASURES, Verdict

WAY_WORDS = {
    ways.PROFILES: "standard profiles",
    ways.SAMPLE: "profiles of a sample",
    ways.SMART_METERS: "smart meters",
}
_SWEEP_WORDS = {
    "panels": "have panels",
    "cars": "have an electric car",
    "pumps": "have a heat pump",
    "dynamic": "have a dynamic contract",
    "refused": "refused, at any supplier",
    "refused_at_one": "refused, all at one supplier",
    "unread": "of the meters unread on a day",
}
_LEVEL_WORDS = {"brp": "BRP", "supplier": "Supplier"}


def write(path: Path, made: Comparison, files: Sequence[Path]) -> None:
    """Write the page of a comparison.

    Parameters
    ----------
    files : the files with its numbers, which lie beside it.
    """
    parts = {
        "title": text(headline(made)),
        "lead": text(_lead(made)),
        "span": text(_span(made)),
        "limits": "".join(f"<li>{text(words)}</li>" for words in limits(made)),
        "total_table": _total_table(made),
        "party_tables": "".join(_party_table(made, level) for level in _LEVEL_WORDS),
        "sweep_table": _sweep_table(made),
        "method": "".join(f"<p>{text(words)}</p>" for words in _method(made)),
        "files": text(", ".join(file.name for file in files)),
        "data": as_json(plot_data(made)),
        "css": asset("report.css"),
        "library": asset("echarts.common.min.js"),
        "script": asset("compare.js"),
    }
    # Only these two scripts may run: a name that would smuggle one in stays dead text.
    parts["hashes"] = " ".join(hash_of(parts[name]) for name in ("library", "script"))
    path.write_text(filled("compare.html", parts), encoding="utf-8", newline="\n")


def headline(made: Comparison) -> str:
    """Say the result in a sentence, whatever it is."""
    old, new = (_of(made, way, "error") for way in (ways.PROFILES, ways.SMART_METERS))
    return (
        f"Settled by standard profiles, BRPs are off by {shown(old, 1)} % of their customers’ "
        f"energy in each quarter-hour; by smart meters by {shown(new, 1)} %"
    )


def _of(made: Comparison, way: str, measure: str) -> Fraction:
    return fairness.measures(made.answer.total(way))[measure]


def _lead(made: Comparison) -> str:
    paid = [shown(_of(made, way, "paid"), 2) for way in ways.WAYS]
    later = [shown(_of(made, way, "corrected"), 1) for way in ways.WAYS]
    words = (
        f"For energy that was not their customers’, BRPs paid {paid[0]} EUR per MWh by standard "
        f"profiles, {paid[1]} by the profiles of a sample, {paid[2]} by smart meters. Later "
        f"readings would correct {later[0]}, {later[1]} and {later[2]} % of the energy. "
    )
    if made.drawn:
        wins = sum(
            one[ways.SMART_METERS].quarter_wh < one[ways.PROFILES].quarter_wh for one in made.drawn
        )
        words += (
            f"In {wins} of {len(made.drawn)} draws of the households smart meters were the nearer "
            "to the truth. "
        )
    return words


def _span(made: Comparison) -> str:
    market, days = made.market, made.answer.days
    what = (
        f"{number(market.points)} simulated small connections"
        if market.households is None
        else "75 real households of 2013"
    )
    listed = ", ".join(str(day) for day in days) if len(days) < 8 else f"{days[0]} to {days[-1]}"
    energy = made.answer.total(ways.PROFILES).energy_wh
    return (
        f"{what} · {len(days)} market days ({listed}) · {number((energy + 500_000) // 10**6)} MWh"
    )


def limits(made: Comparison) -> list[str]:
    """Say where smart meters do not help, or help less; what comes out, not what is hoped for."""
    old, new = (made.answer.total(way) for way in (ways.PROFILES, ways.SMART_METERS))
    found = []
    if new.quarter_wh >= old.quarter_wh:
        found.append("On these days smart meters are no nearer to the truth than profiles.")
    for level, word in _LEVEL_WORDS.items():
        by_way = made.answer.verdicts[level]
        for other in (ways.PROFILES, ways.SAMPLE):
            worse = [
                made.answer.words.get(party, party)
                for party, verdict in by_way[ways.SMART_METERS].items()
                if verdict.charged >= by_way[other][party].charged
            ]
            if worse:
                found.append(
                    f"{word} that pays no less for others than by {WAY_WORDS[other]}: "
                    f"{', '.join(worse)}."
                )
    if new.provisional_wh:
        before = shown(Fraction(100 * old.quarter_wh, max(1, old.provisional_wh)), 1)
        after = shown(Fraction(100 * new.quarter_wh, new.provisional_wh), 1)
        found.append(
            f"Who is left on a profile is settled worse where that is so: {before} % off by "
            f"standard profiles, {after} % of the energy that no meter measured by smart meters. "
            "Few then bear all that is not known of the area."
        )
    low, _, high = (Fraction(f, 10**5) for f in made.answer.factor[ways.SMART_METERS])
    found.append(
        f"The residual factor of those few runs from {shown(low, 2)} to {shown(high, 2)}; by "
        "standard profiles from "
        + " to ".join(
            shown(Fraction(made.answer.factor[ways.PROFILES][i], 10**5), 2) for i in (0, 2)
        )
        + "."
    )
    for name, by_share in made.swept.items():
        first, last = min(by_share), max(by_share)
        ends = [fairness.measures(by_share[s][ways.SMART_METERS])["error"] for s in (first, last)]
        if ends[1] > ends[0] * Fraction(5, 4):
            found.append(
                f"When {_percent(last)} {_SWEEP_WORDS[name]}, smart meters are off by "
                f"{shown(ends[1], 1)} %, where it was {shown(ends[0], 1)} % at {_percent(first)}."
            )
    return found


def _percent(part: float) -> str:
    return f"{shown(100 * part, 1).removesuffix('.0')} %"


def _total_table(made: Comparison) -> str:
    rows = []
    for way, word in WAY_WORDS.items():
        verdict = made.answer.total(way)
        cells = [text(word)]
        for measure, digits in zip(MEASURES, (2, 2, 2), strict=True):
            ends = interval_of(made, way, measure)
            cell = shown(_of(made, way, measure), digits)
            if ends is not None:
                cell += f" ({shown(ends[0], digits)} – {shown(ends[1], digits)})"
            cells.append(cell)
        cells += [
            share(verdict.day_wh, verdict.energy_wh),
            share(verdict.energy_wh - verdict.provisional_wh, verdict.energy_wh),
        ]
        rows.append(cells)
    heads = ["allocated by", "off by quarter [%]", "paid for others [EUR/MWh]"]
    heads += ["corrected later [%]", "off by day", "energy measured"]
    return table(heads, rows)


def _party_table(made: Comparison, level: str) -> str:
    rows = []
    for party in made.answer.verdicts[level][ways.PROFILES]:
        for way, word in WAY_WORDS.items():
            rows.append(_verdict_row(made, party, word, made.answer.verdicts[level][way][party]))
    for way, word in WAY_WORDS.items():
        rows.append(_verdict_row(made, "all", word, made.answer.total(way, level)))
    heads = [_LEVEL_WORDS[level], "allocated by", "energy [kWh]", "off by quarter", "off by day"]
    heads += ["corrected later", "charged [EUR]", "credited [EUR]", "net [EUR]"]
    title = f"Each {_LEVEL_WORDS[level]}"
    return f"<h3>{title}</h3>" + table(heads, rows, words=2, total=len(WAY_WORDS))


def _verdict_row(made: Comparison, party: str, word: str, verdict: Verdict) -> list[str]:
    money = (verdict.charged, verdict.credited, verdict.credited - verdict.charged)
    return [
        text(made.answer.words.get(party, party)),
        text(word),
        kwh(verdict.energy_wh),
        share(verdict.quarter_wh, verdict.energy_wh),
        share(verdict.day_wh, verdict.energy_wh),
        share(verdict.reconcile_wh, verdict.energy_wh),
        *(shown(Fraction(cents, 10**fairness.EUR_DECIMALS), 2) for cents in money),
    ]


def _sweep_table(made: Comparison) -> str:
    rows = []
    for name, by_share in made.swept.items():
        for part, by_way in by_share.items():
            cells = [text(f"{_percent(part)} {_SWEEP_WORDS[name]}")]
            for measure in MEASURES:
                for way in ways.WAYS:
                    cells.append(shown(fairness.measures(by_way[way])[measure], 2))
            rows.append(cells)
    heads = ["small connections"]
    for measure in ("off by quarter [%]", "paid [EUR/MWh]", "corrected [%]"):
        heads += [f"{measure} {word}" for word in WAY_WORDS.values()]
    return table(heads, rows)


def _method(made: Comparison) -> list[str]:
    market = made.market
    sample = _percent(market.sample)
    words = [
        "The same register and the same readings, allocated three times by kwartier itself. "
        "Standard profiles: every small connection by the annual volume of the year before, the "
        "standard profile and the residual factor. Profiles of a sample: the same, but "
        f"{sample} of the connections are measured, and the others take the profile that these "
        "measured that day. Smart meters: every meter that may and can be read, the rest by "
        "profile. In every quarter-hour all three allocate the same energy of the area.",
        "Off by quarter: the position (infeed less offtake) that each BRP is settled for, less the "
        "true one, without signs, over the energy of all small connections. Paid for others: each "
        "such error at the price of imbalance of its quarter, a shortage at its price and a "
        "surplus at its own; the sum of what BRPs were charged. Others were credited it: BRPs, "
        "or the TSO where it has two prices. It takes each BRP’s programme as right, so all its "
        "imbalance is the allocation’s. Corrected later: offtake and infeed that are another "
        "supplier’s over all days together, which yearly readings show.",
        "Prices: "
        + (
            f"of {market.prices.name}, for each day the nearest of the year that is the same day "
            "of the week."
            if market.prices is not None
            else "a stand-in made of rounded figures of the Dutch prices of 2023."
        )
        + " Profiles: "
        + (
            f"of {market.profiles.name}, chosen in the same way."
            if market.profiles is not None
            else "kwartier’s built-in one."
        ),
    ]
    if made.drawn:
        words.append(
            f"The ranges in brackets hold 95 % of {len(made.drawn)} draws (bootstrap, seed "
            f"{market.seed}): of each supplier in each area as many households as it has, with "
            "replacement, all three ways anew. Who is drawn twice makes its error twice, so draws "
            "lie higher than the result; the range is therefore the result times the quantiles of "
            "the draws over their median. It tells what other households would give on the same "
            "days: not what other days would."
        )
    if market.households is None:
        words.append(
            "The market does not exist; what its customers have is assumed or measured "
            "(docs/simulation.md). Its true volumes are known. A larger share has the customers of "
            "the smaller, so lines of the plots compare the same people."
        )
    else:
        words.append(
            "Real are the offtake of 75 Dutch households in 2013 (Zonnedael, Liander open data) "
            "and the sun on 24 roofs; made up are the panels, who supplies whom, who refused, "
            "that the year before was 8 % off, and that nothing else is in the grid area. Five "
            "measured households may serve as a profile, where the market asks for more."
        )
    return words


def plot_data(made: Comparison) -> dict[str, Any]:
    """Give what the plots are drawn of: the sums of the tables, energy in Wh."""
    answer = made.answer
    clock = []
    for day in answer.days:
        hours = periods.local_hours(day)
        clock.append([f"{h:02d}:{15 * (i % 4):02d}" for i, h in enumerate(hours.tolist())])
    totals: dict[str, dict[str, list[float]]] = {}
    for way in ways.WAYS:
        totals[way] = {}
        for measure in MEASURES:
            ends = interval_of(made, way, measure)
            totals[way][measure] = [float(_of(made, way, measure)), *(ends or ())]
    suppliers = list(answer.verdicts["supplier"][ways.PROFILES])
    return {
        "ways": WAY_WORDS,
        "totals": totals,
        "suppliers": [answer.words.get(name, name) for name in suppliers],
        "net": {
            way: [_net(answer.verdicts["supplier"][way][name]) for name in suppliers]
            for way in ways.WAYS
        },
        "sweeps": [
            {
                "words": _SWEEP_WORDS[name],
                "shares": list(by_share),
                **{
                    way: [
                        {m: float(v) for m, v in fairness.measures(by_way[way]).items()}
                        for by_way in by_share.values()
                    ]
                    for way in ways.WAYS
                },
            }
            for name, by_share in made.swept.items()
        ],
        "brps": [answer.words.get(name, name) for name in answer.brps],
        "days": [f"{day} {day:%a}" for day in answer.days],
        "clock": clock,
        "position": {way: answer.position[way].tolist() for way in ways.WAYS},
    }


def _net(verdict: Verdict) -> float:
    """Give what a party is left with, per MWh of its customers [EUR]."""
    energy = verdict.energy_wh or 1
    return float(Fraction(verdict.credited - verdict.charged, energy * 100))
