"""Quarter-hours of a market day in ENTSO-E documents: intervals, points, and what reads them.

Source: IEC 62325-451, ESMP_DateTimeInterval, Series_Period, curve types A01 and A03.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lxml import etree

from kwartier import periods
from kwartier.codecs.xml import Unreadable

RESOLUTION = "PT15M"
BLOCKS, VARIABLE_BLOCKS = "A01", "A03"
_MOMENT = "%Y-%m-%dT%H:%MZ"
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,9})?")


def stamp(moment: int) -> str:
    """Write a moment [s UTC]."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def interval(day: date) -> tuple[str, str]:
    """Write the start and the end of a market day."""
    moments = (periods.day_start(day), periods.day_start(day + timedelta(days=1)))
    start, end = (datetime.fromtimestamp(moment, UTC).strftime(_MOMENT) for moment in moments)
    return start, end


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Find a child by its name, in the namespace of the element."""
    space = etree.QName(element).namespace
    return element.find(f"{{{space}}}{name}")


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Find all children of a name, in the namespace of the element."""
    return element.findall(f"{{{etree.QName(element).namespace}}}{name}")


def text(element: etree._Element, name: str) -> str:
    """Give the text of a child.

    Raises
    ------
    Unreadable : there is none.
    """
    found = maybe(element, name)
    if not found:
        raise Unreadable(f"line {element.sourceline}: expected {name}")
    return found


def maybe(element: etree._Element, name: str) -> str:
    """Give the text of a child; empty where there is none."""
    found = child(element, name)
    return "" if found is None or found.text is None else found.text.strip()


def moment(element: etree._Element, name: str) -> int:
    """Read a moment of whole seconds [s UTC]."""
    try:
        found = datetime.strptime(text(element, name), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Unreadable(f"line {element.sourceline}: {name}: expected a moment") from None
    return int(found.replace(tzinfo=UTC).timestamp())


def revision(element: etree._Element) -> int:
    """Read the number of a document's version, 1 to 999."""
    found = text(element, "revisionNumber")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", found):
        raise Unreadable(f"line {element.sourceline}: revisionNumber: expected 1 to 999")
    return int(found)


def number(element: etree._Element, name: str) -> Decimal:
    """Read a decimal number."""
    found = text(element, name)
    if not _NUMBER.fullmatch(found):
        raise Unreadable(f"line {element.sourceline}: {name}: expected a number")
    return Decimal(found)


def day_of(element: etree._Element, name: str) -> date:
    """Read an interval that is one market day.

    Raises
    ------
    Unreadable : it is another stretch of time.
    """
    start, end = _bounds(element, name)
    first = datetime.fromtimestamp(start, UTC).astimezone(periods.CLOCK).date()
    if (start, end) != tuple(map(periods.day_start, (first, first + timedelta(days=1)))):
        raise Unreadable(f"line {element.sourceline}: {name}: expected one local calendar day")
    return first


def _bounds(element: etree._Element, name: str) -> tuple[int, int]:
    found = child(element, name)
    if found is None:
        raise Unreadable(f"line {element.sourceline}: expected {name}")
    try:
        start, end = (datetime.strptime(text(found, n), _MOMENT) for n in ("start", "end"))
    except ValueError:
        raise Unreadable(f"line {found.sourceline}: {name}: expected moments") from None
    return int(start.replace(tzinfo=UTC).timestamp()), int(end.replace(tzinfo=UTC).timestamp())


def points(series: etree._Element, day: date) -> Iterator[tuple[int, list[etree._Element]]]:
    """Give the points of a series at each quarter-hour of the day, counted from 0.

    With curve type A03 a point holds until the next one; with A01 it is of its own period alone.

    Raises
    ------
    Unreadable : another resolution, a period outside the day, a position outside its period.
    """
    curve = maybe(series, "curveType") or BLOCKS
    if curve not in (BLOCKS, VARIABLE_BLOCKS):
        raise Unreadable(f"line {series.sourceline}: curveType: expected A01 or A03")
    for period in children(series, "Period"):
        start, end = _bounds(period, "timeInterval")
        if text(period, "resolution") != RESOLUTION:
            raise Unreadable(f"line {period.sourceline}: resolution: expected {RESOLUTION}")
        first, odd = divmod(start - periods.day_start(day), periods.SECONDS)
        count, rest = divmod(end - start, periods.SECONDS)
        if odd or rest or first < 0 or count < 1 or first + count > periods.count(day):
            raise Unreadable(f"line {period.sourceline}: expected quarter-hours of the market day")
        yield from _held(_by_position(period, count), first, count, curve)


def _by_position(period: etree._Element, count: int) -> dict[int, list[etree._Element]]:
    found: dict[int, list[etree._Element]] = {}
    for point in children(period, "Point"):
        position = text(point, "position")
        if not re.fullmatch("[1-9][0-9]{0,5}", position) or int(position) > count:
            raise Unreadable(f"line {point.sourceline}: position: expected 1 to {count}")
        found.setdefault(int(position) - 1, []).append(point)
    return found


def _held(
    found: dict[int, list[etree._Element]], first: int, count: int, curve: str
) -> Iterator[tuple[int, list[etree._Element]]]:
    held: list[etree._Element] = []
    for at in range(count):
        held = found.get(at, held if curve == VARIABLE_BLOCKS else [])
        if held:
            yield first + at, held
