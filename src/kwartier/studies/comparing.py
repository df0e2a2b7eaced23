"""The comparison: one market in three ways, with less and more of everything, and drawn again.

Each of those is a question of its own, answered in any order and process with the same numbers.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import periods
from kwartier.arrays import Int64s
from kwartier.engines import cores
from kwartier.simulation import Mix
from kwartier.simulation.prices import imbalance_prices
from kwartier.studies import fairness, scene, sources, ways
from kwartier.studies.fairness import Prices, Verdict

Progress = Callable[[int, int | None], None]
REFUSED_AT = 5  # of the suppliers, the one with dynamic contracts: where few customers differ most


@dataclass(frozen=True)
class Market:
    """A market to compare on; of the real households only refusals and unread meters are chosen.

    Attributes
    ----------
    points : simulated small connections. unread : part of the meters unread on a day.
    sample : part of the connections of which the interim way makes its profiles.
    households : folder of the real households; None: a simulated market.
    profiles, prices : files; None: the built-in profile, and stand-in prices.
    """

    points: int = 2_000
    seed: int = 1
    mix: Mix = field(default_factory=Mix)
    unread: float = 0.01
    sample: float = 0.2
    households: Path | None = None
    profiles: Path | None = None
    prices: Path | None = None


@dataclass(frozen=True)
class Sweep:
    """What is varied, over which shares of the small connections."""

    name: str
    shares: Sequence[float]
    at: Callable[[Market, float], Market]
    of_households: bool = False


def _of_mix(name: str) -> Callable[[Market, float], Market]:
    def at(market: Market, share: float) -> Market:
        changed: dict[str, Any] = {name: share}
        return replace(market, mix=replace(market.mix, **changed))

    return at


SWEEPS = (
    Sweep("panels", (0.0, 0.15, 0.3, 0.45, 0.6), _of_mix("panels")),
    Sweep("cars", (0.0, 0.1, 0.2, 0.4), _of_mix("cars")),
    Sweep("pumps", (0.0, 0.1, 0.2, 0.4), _of_mix("pumps")),
    Sweep("dynamic", (0.0, 0.1, 0.2, 0.4), _of_mix("dynamic")),
    Sweep("refused", (0.0, 0.05, 0.1, 0.2, 0.4), _of_mix("refused"), True),
    Sweep(
        "refused_at_one",
        (0.0, 0.025, 0.05, 0.1),
        lambda market, share: replace(
            market, mix=replace(market.mix, refused=share, refused_at=REFUSED_AT)
        ),
    ),
    Sweep("unread", (0.0, 0.01, 0.05, 0.1), lambda m, share: replace(m, unread=share), True),
)


@dataclass(frozen=True)
class Answer:
    """One market in three ways.

    Attributes
    ----------
    verdicts : by level ("brp" or "supplier"), way and party.
    position : by way the error of each BRP's position, (BRPs, periods) [Wh], in the order of
        `brps`; true_position : what it truly was.
    factor : by way the lowest, the mean and the highest residual factor [1e-5].
    allocated_wh : by way what was allocated to all small connections, per direction.
    """

    days: Sequence[date]
    brps: Sequence[str]
    words: Mapping[str, str]
    prices: Prices
    verdicts: Mapping[str, Mapping[str, Mapping[str, Verdict]]]
    position: Mapping[str, Int64s]
    true_position: Int64s
    factor: Mapping[str, tuple[int, int, int]]

    def total(self, way: str, level: str = "brp") -> Verdict:
        """Give what a way does to all parties of a level together."""
        return fairness.together(list(self.verdicts[level][way].values()))


@dataclass(frozen=True)
class Comparison:
    """All answers: of the market itself, of each sweep and share, and of each time it was drawn."""

    market: Market
    answer: Answer
    swept: Mapping[str, Mapping[float, Mapping[str, Verdict]]]
    drawn: Sequence[Mapping[str, Verdict]]


def compare(
    market: Market,
    *,
    resamples: int,
    sweeps: Sequence[Sweep] = SWEEPS,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Comparison:
    """Compare the three ways on a market.

    Parameters
    ----------
    resamples : how often the households are drawn again.
    sweeps : what is varied; of the real households only what can be.
    workers : processes side by side, the cores of the machine when not given; 1 is this one.

    Raises
    ------
    StudyError, ZonnedaelError, FileRefused : a file is not what it should be.
    """
    sweeps = [one for one in sweeps if one.of_households or market.households is None]
    asked = list(
        dict.fromkeys(
            one.at(market, share)
            for one in sweeps
            for share in one.shares
            if one.at(market, share) != market
        )
    )
    questions = [(other, None) for other in asked] + [(market, n) for n in range(resamples)]
    total = 1 + len(questions)
    progress(0, total)
    answer = answer_of(market)
    progress(1, total)
    own = {way: answer.total(way) for way in ways.WAYS}
    totals: dict[tuple[Market, int | None], Mapping[str, Verdict]] = {(market, None): own}
    for done, (question, verdicts) in enumerate(_answered(questions, workers or cores()), 2):
        totals[question] = verdicts
        progress(done, total)
    return Comparison(
        market,
        answer,
        {
            one.name: {share: totals[one.at(market, share), None] for share in one.shares}
            for one in sweeps
        },
        [totals[market, n] for n in range(resamples)],
    )


Question = tuple[Market, int | None]


def _answered(
    questions: Sequence[Question], workers: int
) -> Iterator[tuple[Question, Mapping[str, Verdict]]]:
    if workers == 1 or len(questions) < 2:
        for question in questions:
            yield question, totals_of(*question)
        return
    # Started anew: threads of Arrow and numba do not live on in a fork.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(questions)), mp_context=fresh) as pool:
        asked = {pool.submit(totals_of, *question): question for question in questions}
        try:
            for made in as_completed(asked):
                yield asked[made], made.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def totals_of(market: Market, turn: int | None) -> dict[str, Verdict]:
    """Give what each way does to all BRPs together, of the market or of households drawn again."""
    seen = _scene_of(market)
    if turn is not None:
        seen = scene.drawn_again(seen, market.seed, turn)
    answer = _answer(seen, _prices(market, seen.days))
    return {way: answer.total(way) for way in ways.WAYS}


def answer_of(market: Market) -> Answer:
    """Allocate a market in three ways and judge them."""
    seen = _scene_of(market)
    return _answer(seen, _prices(market, seen.days))


@lru_cache(maxsize=1)
def _scene_of(market: Market) -> scene.Scene:
    of = {"unread": market.unread, "sample": market.sample}
    if market.households is not None:
        made = scene.of_households(market.households, market.seed, refused=market.mix.refused, **of)
    else:
        made = scene.simulated(market.points, scene.SIMULATED_DAYS, market.seed, market.mix, **of)
    if market.profiles is None:
        return made
    own = sources.read_profiles(market.profiles, made.days)
    return replace(made, fractions=pa.concat_tables([made.fractions, own]))


@lru_cache(maxsize=1)
def _prices_in(path: Path) -> Mapping[date, Prices]:
    return sources.read_prices(path)


def _prices(market: Market, days: Sequence[date]) -> Prices:
    if market.prices is None:
        of_days = [Prices(*imbalance_prices(day, market.seed)) for day in days]
    else:
        held = _prices_in(market.prices)
        of_days = [held[sources.alike(day, held, str(market.prices))] for day in days]
    return Prices(*(np.concatenate(column) for column in zip(*of_days, strict=True)))


def _answer(seen: scene.Scene, prices: Prices) -> Answer:
    parties, true = ways.parties_of(seen), ways.truth(seen)
    day_of = np.concatenate([np.full(periods.count(d), periods.number(d)) for d in seen.days])
    names = {"brp": [p.brp for p in parties], "supplier": [p.supplier for p in parties]}
    brps = sorted(set(names["brp"]))
    place = np.array([brps.index(name) for name in names["brp"]])

    def of_brps(error: Int64s) -> Int64s:
        out = np.zeros((len(brps), error.shape[1]), np.int64)
        np.add.at(out, place, error)
        return out

    verdicts: dict[str, dict[str, Mapping[str, Verdict]]] = {level: {} for level in names}
    position, factor = {}, {}
    for way in ways.WAYS:
        made = ways.allocate(seen, way)
        for level, of in names.items():
            verdicts[level][way] = fairness.judge(
                of, made.volume, made.measured, true, day_of, prices
            )
        position[way] = of_brps(fairness.position_error(made.volume, true))
        mean = int(made.factor.sum()) // len(made.factor)
        factor[way] = (int(made.factor.min()), mean, int(made.factor.max()))
    return Answer(
        seen.days,
        brps,
        seen.words,
        prices,
        verdicts,
        position,
        of_brps(fairness.position_error(true, np.zeros_like(true))),
        factor,
    )
