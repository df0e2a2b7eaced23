"""The market's dated parameters: loaded once for a market day, passed in, never looked up by name.

Source of each value: `market.yaml`, where it stands with its meaning, unit and source. The public
holidays stand in `holidays.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from kwartier import codes


class ParameterError(ValueError):
    """A parameters file that is not what it should be; the text says what and where."""


class CalendarRun(NamedTuple):
    """When a run of a market day is due: at an hour of the local clock, on a counted day."""

    kind: str
    # 0: the count starts after the market day. Else it starts with the month so many months later.
    months: int
    nth: int
    unit: str
    hour: int


@dataclass(frozen=True)
class Holidays:
    """The public holidays of some years; of another year it does not tell."""

    days: frozenset[date]
    years: frozenset[int]

    def __contains__(self, day: object) -> bool:
        """Tell whether a day is a public holiday.

        Raises
        ------
        ParameterError : the table does not cover the year of the day.
        """
        if not isinstance(day, date):
            return False
        if day.year not in self.years:
            raise ParameterError(
                f"holidays.yaml: {day}: expected a year from {min(self.years)} to "
                f"{max(self.years)}; add the year's holidays to the table"
            )
        return day in self.days


@dataclass(frozen=True)
class Parameters:
    """The values that hold on one market day, and from when each of them holds."""

    legal_ground: date
    limit_margin: Fraction
    voltage: int
    tariff_tolerance_wh: int
    day_sum_tolerance_wh: int
    off_quarter_seconds: int
    too_old_days: int
    bracket_days: int
    bracket_periods: int
    min_points_for_shape: int
    reference_areas: Mapping[str, str]
    default_annual_offtake_wh: Mapping[str, int]
    default_annual_infeed_wh: int
    default_low_share: Fraction
    zero_run_periods: int
    both_directions_wh: int
    outlier_factor: int
    outlier_floor_wh: int
    unread_days_to_profile: int
    annual_cap_periods: int
    low_tariff_hours: Mapping[str, tuple[int, int]]
    low_tariff_days: frozenset[int]
    telemetry_triples: tuple[tuple[str, str, str], ...]
    telemetry_correction_working_days: int
    residual_assigned_to: str
    residual_alarm_low: Fraction
    residual_alarm_high: Fraction
    run_calendar: tuple[CalendarRun, ...]
    acknowledgement_minutes: int
    retry_minutes: tuple[int, ...]
    delivery_seconds: int
    accepted_days: int
    created_ahead_seconds: int
    series_of_group: Mapping[str, int]
    programme_deadline: tuple[int, int]
    missing_programme: str
    price_rule: Mapping[int, tuple[PriceOf, PriceOf]]
    final_settlement_run: str
    settlement_months: int
    settlement_areas: tuple[str, ...]
    tso: str
    tso_area: str
    disclosure_policy: Mapping[str, str]
    disclosure_least_holders: int
    disclosure_dominant_share: Fraction
    disclosure_groups: tuple[str, ...]
    disclosure_interval: Fraction
    standard_profile: Mapping[str, Any]
    holding_since: Mapping[str, date]

    def limit_wh(self, capacity: str) -> int:
        """Give the most energy that a connection can carry in one period, one direction [Wh].

        phases × voltage × amperes ÷ 4 × margin, rounded down (domain §5).
        """
        phases, amperes = codes.CAPACITIES[capacity]
        return int(Fraction(phases * self.voltage * amperes, 4) * self.limit_margin)

    def default_annual(self, category: str, direction: int) -> tuple[int, int]:
        """Give the annual volume to take where none is known, and the low tariff's part [Wh].

        direction : 0 is offtake, 1 infeed.
        """
        offtake = self.default_annual_offtake_wh[category]
        total = self.default_annual_infeed_wh if direction else offtake
        return total, int(total * self.default_low_share)


def _triple(text: str) -> tuple[str, str, str]:
    origin, status, method = ("" if word == "-" else word for word in text.split())
    known = (codes.DELIVERED_ORIGINS, ("", *codes.VALIDATION_STATUSES), ("", *codes.METHODS))
    if any(word not in words for word, words in zip((origin, status, method), known, strict=True)):
        raise ValueError
    return origin, status, method


def _hours(value: Any) -> tuple[int, int]:
    start, end = (int(hour) for hour in value)
    if not 0 <= end < start <= 24:
        raise ValueError
    return start, end


def _share(value: Any) -> Fraction:
    share = Fraction(str(value))
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _weekdays(value: Any) -> frozenset[int]:
    days = frozenset(int(day) for day in value)
    if not days <= frozenset(range(1, 8)):
        raise ValueError
    return days


def _above_zero(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ParameterError("expected a whole number above 0")
    return value


def _pauses(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ParameterError("expected a list of whole numbers above 0")
    return tuple(_above_zero(pause) for pause in value)


def _one_of(*words: str) -> Any:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


DAYS, WORKING_DAYS = "days", "working_days"
_KIND = re.compile(r"D\+[1-9][0-9]*|N-[1-9][0-9]*")
_BOUNDS = {"months": (0, 24), "nth": (1, 366), "hour": (0, 23)}


def _calendar(value: Any) -> tuple[CalendarRun, ...]:
    if not isinstance(value, dict) or not value:
        raise ParameterError("expected the kinds of run, each with months, nth, unit and hour")
    return tuple(_calendar_run(kind, entry) for kind, entry in value.items())


def _calendar_run(kind: Any, entry: Any) -> CalendarRun:
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise ParameterError(f"{kind}: expected a kind of run as D+5 or N-3")
    try:
        run = CalendarRun(kind=kind, **entry)
    except TypeError:
        raise ParameterError(f"{kind}: expected months, nth, unit and hour") from None
    for name, (least, most) in _BOUNDS.items():
        found = getattr(run, name)
        # Python takes true for 1.
        if type(found) is not int or not least <= found <= most:
            raise ParameterError(f"{kind}: {name}: expected a whole number, {least} to {most}")
    if run.unit not in (DAYS, WORKING_DAYS):
        raise ParameterError(f"{kind}: unit: expected {DAYS} or {WORKING_DAYS}")
    return run


# What leaves as it is specified, and what is merged first (parameter disclosure_policy).
STATUTORY, PROTECTED = "statutory", "protected"
# Documents by the rules that they are made by; open data are for everybody.
DUTCH, RSM014, ENERGY_ACCOUNT, OPEN_DATA = "dutch", "rsm014", "energy_account", "open_data"
FAMILIES = (DUTCH, RSM014, ENERGY_ACCOUNT, OPEN_DATA)


def _policies(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or set(value) != set(FAMILIES):
        raise ParameterError(f"expected a policy for each of {', '.join(FAMILIES)}")
    for family, policy in value.items():
        if policy not in (STATUTORY, PROTECTED):
            raise ParameterError(f"{family}: expected {STATUTORY} or {PROTECTED}")
    if value[DUTCH] != STATUTORY:
        raise ParameterError(f"{DUTCH}: expected {STATUTORY}; its receivers need every supplier")
    if value[OPEN_DATA] != PROTECTED:
        raise ParameterError(f"{OPEN_DATA}: expected {PROTECTED}; everybody reads them")
    return {family: str(value[family]) for family in FAMILIES}


def _holders(value: Any) -> int:
    if type(value) is not int or value < 2:
        raise ParameterError("expected a whole number of holders, 2 or more")
    return value


def _groups(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not set(value) <= set(codes.GROUPS):
        raise ParameterError(f"expected some of {', '.join(codes.GROUPS)}")
    return tuple(group for group in codes.GROUPS if group in value)


# Who bears the residual (parameter residual_assigned_to).
ON_OFFTAKE, ON_NOBODY = "offtake", "nobody"

# What a missing programme counts as (parameter missing_programme).
LEFT_OPEN, AS_ZERO = "open", "zero"

UP, DOWN, MIDDLE = "up", "down", "mid"
LOWEST, HIGHEST = "min", "max"


class PriceOf(NamedTuple):
    """Which of the component prices is a price: the only one, the lowest, or the highest."""

    choice: str
    components: tuple[str, ...]


def _price_of(text: Any) -> PriceOf:
    choice, *components = str(text).split()
    if not components:
        choice, components = LOWEST, [choice]
    if choice not in (LOWEST, HIGHEST) or not set(components) <= {UP, DOWN, MIDDLE}:
        raise ValueError
    return PriceOf(choice, tuple(components))


def _price_rule(value: Any) -> Mapping[int, tuple[PriceOf, PriceOf]]:
    rule = {}
    for state, (long, short) in value.items():
        rule[int(state)] = (_price_of(long), _price_of(short))
    return rule


def _clock(value: Any) -> tuple[int, int]:
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", str(value))
    if not found:
        raise ParameterError("expected a local time as '14:00', in quotes")
    return int(found[1]), int(found[2])


def _digits(value: Any, length: int) -> str:
    if not re.fullmatch(rf"[0-9]{{{length}}}", str(value)):
        raise ParameterError(f"expected {length} digits")
    return str(value)


# How a value is read from YAML; a value that this refuses is an error of the file.
_READ: dict[str, Any] = {
    "legal_ground": lambda v: v if isinstance(v, date) else date.fromisoformat(v),
    "limit_margin": lambda v: Fraction(str(v)),
    "min_points_for_shape": _above_zero,  # nothing is the mean of no points
    "reference_areas": lambda v: {str(k): str(a) for k, a in v.items()},
    "default_annual_offtake_wh": lambda v: {c: int(v[c]) for c in codes.PROFILE_CATEGORIES},
    "default_low_share": _share,
    "low_tariff_days": _weekdays,
    "low_tariff_hours": lambda v: {str(c): _hours(hours) for c, hours in v.items()},
    "telemetry_triples": lambda v: tuple(sorted(_triple(text) for text in v)),
    "residual_assigned_to": _one_of(ON_OFFTAKE, ON_NOBODY),
    "residual_alarm_low": lambda v: Fraction(str(v)),
    "residual_alarm_high": lambda v: Fraction(str(v)),
    "run_calendar": _calendar,
    "acknowledgement_minutes": _above_zero,
    "retry_minutes": _pauses,
    "delivery_seconds": _above_zero,
    "series_of_group": lambda v: {_one_of(*codes.GROUPS)(g): int(n) for g, n in v.items()},
    "programme_deadline": _clock,
    "missing_programme": _one_of(LEFT_OPEN, AS_ZERO),
    "price_rule": _price_rule,
    "final_settlement_run": str,
    "settlement_areas": lambda v: tuple(_digits(area, codes.EAN_DIGITS) for area in v),
    "tso_area": str,
    "tso": lambda v: _digits(v, codes.GLN_DIGITS),
    "disclosure_policy": _policies,
    "disclosure_least_holders": _holders,
    "disclosure_dominant_share": _share,
    "disclosure_groups": _groups,
    "disclosure_interval": _share,
}


def _yaml(text: str) -> Any:
    # The compiled loader, where PyYAML has it, is eight times as quick and as safe.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@lru_cache(maxsize=1)
def market() -> Mapping[str, Any]:
    """Give the parameters that come with kwartier, with all their dates."""
    loaded: Mapping[str, Any] = _yaml(files(__package__).joinpath("market.yaml").read_text("utf-8"))
    return loaded


@lru_cache(maxsize=1)
def standard_profile() -> Mapping[str, Any]:
    """Give the standard profile that serves when no measured shape does."""
    loaded: Mapping[str, Any] = _yaml(
        files(__package__).joinpath("standard_profile.yaml").read_text("utf-8")
    )
    return loaded


@lru_cache(maxsize=1)
def holidays() -> Holidays:
    """Give the public holidays; a home's own parameters cannot change them."""
    years = _yaml(files(__package__).joinpath("holidays.yaml").read_text("utf-8"))["years"]
    days = frozenset(day for named in years.values() for day in named.values())
    return Holidays(days, frozenset(years))


def parse(text: str, name: str) -> Mapping[str, Any]:
    """Read the text of a home's own parameters file.

    Raises
    ------
    ParameterError : not YAML, an unknown parameter, or one without dated values.
    """
    try:
        own = _yaml(text) or {}
    except yaml.YAMLError as error:
        raise ParameterError(f"{name}: not YAML: {error}") from None
    if not isinstance(own, dict):
        raise ParameterError(f"{name}: expected parameter names with their values")
    for key, entry in own.items():
        if key not in market():
            raise ParameterError(f"{name}: {key}: no such parameter")
        if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict):
            raise ParameterError(f"{name}: {key}: expected 'values: {{DATE: VALUE}}'")
    return own


def load(day: date, own: Mapping[str, Any] | None = None) -> Parameters:
    """Give the values that hold on a market day; a home's own go before the market's.

    Raises
    ------
    ParameterError : a value that cannot be read, or none that holds on the day.
    """
    values: dict[str, Any] = {}
    since: dict[str, date] = {}
    for key, entry in market().items():
        dated = {**entry["values"], **((own or {}).get(key, {}).get("values", {}))}
        try:
            held = max(start for start in dated if start <= day)
        except (ValueError, TypeError):
            raise ParameterError(f"{key}: no value holds on {day}; dates are ISO") from None
        try:
            values[key] = _READ.get(key, int)(dated[held])
        except ParameterError as error:
            raise ParameterError(f"{key}: the value from {held} on: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ParameterError(f"{key}: the value from {held} on cannot be read") from None
        since[key] = held
    return Parameters(**values, standard_profile=standard_profile(), holding_since=since)
