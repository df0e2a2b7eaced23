"""The cells of a CIM document: moments, the market day, quantities, and a series' points.

Energy stands as kWh with three decimals and flows as int64 Wh; no float comes between.
Source: XML Schema Part 2 §3.2.3 (decimal); IEC 62325-351 (ESMP_DateTime, YMDHM_DateTime);
domain §3.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import numpy as np

from kwartier import codes, periods
from kwartier.arrays import Int64s
from kwartier.codecs.cim.layout import Field, Unwritable, Values
from kwartier.codecs.xml import Unreadable
from kwartier.documents import Series

RESOLUTION = "PT15M"
ACTIVE_ENERGY = "8716867000030"
KWH = "KWH"

# As provided, calculated; estimated, and calculated on incomplete data.
_QUALITIES = {codes.MEASURED: "A04", codes.CALCULATED: "A06"}
_QUALITIES |= {codes.UNMEASURED: "A03", codes.NOT_METERED: "A05"}
_ORIGINS = {"": "", **{quality: origin for origin, quality in _QUALITIES.items()}}

INTERVAL = (Field("start"), Field("end"))

_SECOND = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")
_MINUTE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})Z")
_KWH = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_PLAIN = re.compile(r"(?:[0-9]{1,15}\.[0-9]{3}\n)*[0-9]{1,15}\.[0-9]{3}")
_INT64 = np.iinfo(np.int64)
# Years in which the local clock is known.
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


def second(moment: int) -> str:
    """Write a moment [s UTC] with its seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_second(text: str, where: str) -> int:
    """Read a moment with its seconds [s UTC].

    Raises
    ------
    Unreadable : another form, another zone than UTC, or no moment.
    """
    return _moment(_SECOND, text, where, "YYYY-MM-DDThh:mm:ssZ")


def interval(day: date) -> Values:
    """Write a market day as its two ends, which have no seconds."""
    ends = (day, day + timedelta(days=1))
    start, end = (datetime.fromtimestamp(periods.day_start(end), UTC) for end in ends)
    return {"start": start.strftime("%Y-%m-%dT%H:%MZ"), "end": end.strftime("%Y-%m-%dT%H:%MZ")}


def market_day(values: Values, where: str) -> date:
    """Read a market day from its two ends.

    Raises
    ------
    Unreadable : they are not the local midnights of one day.
    """
    start, end = (
        _moment(_MINUTE, values[name], f"{where}{name}", "YYYY-MM-DDThh:mmZ")
        for name in ("start", "end")
    )
    day = datetime.fromtimestamp(start, periods.CLOCK).date()
    if periods.day_start(day) != start or periods.day_start(day + timedelta(days=1)) != end:
        raise Unreadable(f"{where}expected one day, from local midnight to local midnight, in UTC")
    return day


def _moment(form: re.Pattern[str], text: str, where: str, expected: str) -> int:
    found = form.fullmatch(text)
    try:
        if found is not None and _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
            return int(datetime.fromisoformat(text).timestamp())
    except ValueError:  # a 30th of February
        pass
    raise Unreadable(f"{where}: expected a moment in UTC as {expected}")


def kwh(quantity: Int64s) -> list[str]:
    """Write volumes [Wh] as kWh with exactly three decimals."""
    return [
        f"{'-' if wh < 0 else ''}{abs(wh) // 1000}.{abs(wh) % 1000:03d}" for wh in quantity.tolist()
    ]


def read_kwh(texts: list[str], where: str) -> Int64s:
    """Read volumes [Wh] from kWh, each a decimal as XML Schema writes it.

    Raises
    ------
    Unreadable : one is missing, no decimal, not a whole number of Wh, or above what int64 holds.
    """
    joined = "\n".join(texts)
    if _PLAIN.fullmatch(joined):  # as nearly all are; the others take three times as long
        return np.array(list(map(int, joined.replace(".", "").split("\n"))), np.int64)
    return np.array([_wh(text, where, count) for count, text in enumerate(texts, 1)], np.int64)


def _wh(text: str, where: str, count: int) -> int:
    # Missing is not zero: a point without its quantity says nothing.
    if found := _KWH.fullmatch(text):
        sign, whole, decimals = found[1], found[2], found[3] or ""
        if (whole or decimals) and not decimals[3:].strip("0") and len(whole) <= 18:
            wh = int(f"{sign}{whole}{decimals[:3]:0<3}")
            if _INT64.min <= wh <= _INT64.max:
                return wh
    raise Unreadable(
        f"{where}Point {count}: expected a quantity in kWh with at most three decimals"
    )


def check_positions(texts: list[str], day: date, where: str) -> None:
    """Check that the points of a series are those of the market day, 1 to n, in order.

    Raises
    ------
    Unreadable : another number of them, or one out of its place.
    """
    count = periods.count(day)
    if len(texts) != count:
        raise Unreadable(f"{where}expected the {count} points of the market day, not {len(texts)}")
    if texts != [str(position) for position in range(1, count + 1)]:
        wrong = next(i for i, text in enumerate(texts, 1) if text != str(i))
        raise Unreadable(f"{where}Point {wrong}: expected position {wrong}")


def positions(quantity: Int64s, day: date, where: str) -> list[str]:
    """Write the positions of a series.

    Raises
    ------
    Unwritable : the series has not the periods of the market day.
    """
    if quantity.shape != (periods.count(day),):
        raise Unwritable(f"{where}expected {periods.count(day)} periods, not {quantity.size}")
    return [str(position) for position in range(1, quantity.size + 1)]


def qualities(series: Series, where: str) -> list[str]:
    """Write the origin of a series as the quality of each of its points.

    Raises
    ------
    Unwritable : it is another than those of delivered volumes.
    """
    if series.origin not in _QUALITIES:
        raise Unwritable(f"{where}origin: expected one of {', '.join(_QUALITIES)}")
    return [_QUALITIES[series.origin]] * series.quantity.size


def origin(texts: list[str], where: str) -> str:
    """Read the origin of a series from the quality of its points; empty where they have none.

    Raises
    ------
    Unreadable : they have more than one, or one that says that there is no quantity.
    """
    origins = {_ORIGINS.get(text) for text in set(texts)}
    if len(origins) > 1 or None in origins:
        raise Unreadable(
            f"{where}expected points of one quality: {', '.join(filter(None, _ORIGINS))}"
        )
    return origins.pop() or ""


def expect(text: str, expected: str, where: str) -> None:
    """Check a code that a document can have only one of.

    Raises
    ------
    Unreadable : it has another.
    """
    if text != expected:
        raise Unreadable(f"{where}: expected {expected}")
