"""What a document says: its day, positions, quantities, kinds.

Each function is a rule of `receiving.RULES`, where its code and meaning stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from datetime import date, timedelta

import numpy as np

from kwartier import codes, documents, periods
from kwartier.documents import Document, Series
from kwartier.steps.receiving.known import Finds, Found, Known, Subject, subject


def number_of_series(document: Document, known: Known, at: int) -> Finds:
    kinds: Counter[tuple[str, ...]] = Counter()
    members: dict[tuple[str, ...], list[Series]] = {}
    for series in document.series:
        party = (series.grid_area, series.brp, series.supplier, series.group)
        kind = (series.point, series.unit, series.profile_category, series.consumption_type)
        kinds[key := (*party, *kind, series.direction, series.origin)] += 1
        if kinds[key] == 2:
            yield Found(series, "each series once")
        members.setdefault(party, []).append(series)
    for (*_, group), some in members.items():
        if document.process == documents.FACTORS:
            count, expected = sum(series.unit == documents.FACTOR for series in some), 1
            what = "residual factor"
        else:
            count, what = len(some), "series"
            expected = known.parameters.series_of_group.get(group, count)
            if document.process in documents.INDIVIDUAL:
                expected = count
        if count != expected:
            yield Found(some[0], f"{expected} {what} of the group for a party and grid area")


def day(document: Document, known: Known, at: int) -> Finds:
    start, end = _bounds(document.market_day)
    for series in document.series:
        if series.form and (series.form.start, series.form.end) != (start, end):
            yield Found(series)


def _bounds(day: date) -> tuple[int, int]:
    return periods.day_start(day), periods.day_start(day + timedelta(days=1))


def _positions(series: Series) -> list[int]:
    if series.form is None:
        return list(range(1, len(series.quantity) + 1))
    return [int(position) for position in series.form.positions]


def number_of_positions(document: Document, known: Known, at: int) -> Finds:
    n = periods.count(document.market_day)
    for series in document.series:
        if len(_positions(series)) != n:
            yield Found(series, str(n))


def first_position(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if _positions(series)[:1] not in ([], [1]):
            yield Found(series, "1")


def increment(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if (np.diff(np.array(_positions(series), np.int64)) != 1).any():
            yield Found(series, "1")


def not_past(document: Document, known: Known, at: int) -> Finds:
    if _bounds(document.market_day)[1] > at:
        yield Found()


def too_late(document: Document, known: Known, at: int) -> Finds:
    if document.process == documents.IMBALANCE_ACCOUNT:  # as long as the TSO may settle the day
        return
    days = known.parameters.accepted_days
    if at >= periods.day_start(document.market_day + timedelta(days=days + 1)):
        yield Found(None, f"at most {days} days after the market day")


def newer(document: Document, known: Known, at: int) -> Finds:
    told: set[Subject] = set()
    for series in document.series:
        of = subject(document, series)
        if of not in told and known.newest.get(of, document.created_at) > document.created_at:
            yield Found(series)
        told.add(of)


def ahead(document: Document, known: Known, at: int) -> Finds:
    seconds = known.parameters.created_ahead_seconds
    if document.created_at > at + seconds:
        yield Found(None, f"at most {seconds} seconds ahead of the receiver's clock")


def _of_category(document: Document, series: Series) -> bool:
    """Tell whether a series is of one profile category: a profiled volume or a fraction."""
    return document.process == documents.PROFILED or series.unit == documents.FRACTION


def product(document: Document, known: Known, at: int) -> Finds:
    right = (codes.ENERGY_PRODUCT, codes.ACTIVE_ENERGY)
    for series in document.series:
        if series.form and (series.form.product_type, series.form.product) != right:
            yield Found(series, " ".join(right))


def unit(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        unit = codes.KILOWATT_HOUR if series.unit == documents.WH else ""
        if series.form and series.form.unit != unit:
            yield Found(series, unit or "none")


def resolution(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if series.form and series.form.resolution != codes.QUARTER_HOUR:
            yield Found(series, codes.QUARTER_HOUR)


def _decimals(document: Document, units: Container[str]) -> Finds:
    for series in document.series:
        right = documents.DECIMALS[series.unit]
        if series.unit in units and series.form and series.form.decimals - {right}:
            yield Found(series, str(right))


def decimals_of_volume(document: Document, known: Known, at: int) -> Finds:
    return _decimals(document, (documents.WH,))


def decimals_of_factor(document: Document, known: Known, at: int) -> Finds:
    return _decimals(document, (documents.FACTOR, documents.FRACTION))


def negative(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        volume = series.unit == documents.WH and series.group != codes.PROFILE
        if volume and (series.quantity < 0).any():
            yield Found(series)


def triple(document: Document, known: Known, at: int) -> Finds:
    if document.process not in documents.INDIVIDUAL:
        return
    allowed = set(known.parameters.telemetry_triples)
    for series in document.series:
        columns = (series.origins, series.statuses, series.methods)
        lengths = {len(column) for column in columns} | {len(_positions(series))}
        if len(lengths) > 1 or not set(zip(*columns, strict=True)) <= allowed:
            yield Found(series)


def category(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        unknown = series.profile_category not in codes.PROFILE_CATEGORIES
        if unknown and _of_category(document, series):
            yield Found(series)


def consumption_type(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        unknown = series.consumption_type not in codes.CONSUMPTION_TYPES
        # Some categories have the same fractions for both types, and need none.
        one_for_both = series.profile_category in codes.ALWAYS_STANDARD
        if one_for_both and not series.consumption_type:
            continue
        if unknown and _of_category(document, series):
            yield Found(series)


def kind(document: Document, known: Known, at: int) -> Finds:
    for series in document.series:
        if _of_category(document, series):
            # Only a fraction has a status, and of a volume the schema has no place for it.
            wrong = not series.direction
            wrong |= (series.unit == documents.FRACTION) != bool(series.status)
        else:
            said = (series.profile_category, series.consumption_type, series.status)
            wrong = any(said) or (series.unit == documents.FACTOR and bool(series.direction))
        if wrong:
            yield Found(series)
