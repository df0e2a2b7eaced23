"""What makes a simulated grid area whole: telemetry, street lighting, grid losses, couplings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa

from kwartier import codes, periods
from kwartier.simulation.energy import sun
from kwartier.simulation.figures import Floats, day_kind, figures, generator, remembering
from kwartier.simulation.points import (
    BRP_OF_SUPPLIER,
    BRPS,
    GRID_AREAS,
    SUPPLIER_SHARE,
    SUPPLIERS,
    Bools,
    Ints,
    Points,
    point_numbers,
)

STREET_LIGHTING = "street lighting"
LOSS_SUPPLIER = 4  # who the grid operator buys its losses from
BUSINESS, SOLAR_PARK, WIND_PARK = 0, 1, 2
# Their numbers stand clear of those of the small connections, however many there are.
TELEMETRY_FIRST, LIGHTING_FIRST, LOSS_FIRST, COUPLING_FIRST = (n * 10**9 for n in range(1, 5))
QUARTERS = 35_040  # of a year, for a mean
ONE = 10**8  # a fraction is a number of these parts
# What a delivered volume says of itself: origin, validation status and repair method.
MEASURED, REPAIRED, CALCULATED = 0, 1, 2
SAID = (
    (codes.MEASURED, codes.VALIDATED, None),
    (codes.CALCULATED, codes.VALIDATED, codes.FROM_REGISTERS),
    (codes.CALCULATED, None, None),
)


@dataclass(frozen=True)
class Flows:
    """The true energy of a market day beside the small connections [Wh].

    Attributes
    ----------
    telemetry : (2, points, periods) offtake and infeed.
    lighting : (points, periods).
    losses, calculated_losses : (areas, periods) as they are, and as the operator reckons them.
    imports : (areas, periods) net from the national grid; below 0 where the area gives out.
    exchange : (periods) from the first area to the second; below 0 the other way.
    """

    telemetry: Ints
    lighting: Ints
    losses: Ints
    calculated_losses: Ints
    imports: Ints
    exchange: Ints


class Grid:
    """The large, unmetered and loss points and the couplings of the simulated grid areas."""

    def __init__(self, points: Points, seed: int) -> None:
        self._seed = seed
        areas = np.arange(len(GRID_AREAS))
        small = np.bincount(points.area, minlength=len(areas))
        self._use_wh = np.bincount(points.area, points.use_wh, minlength=len(areas))
        rng, figure = generator(seed, 13), figures()["telemetry"]
        count = np.maximum(figure["fewest"], np.rint(figure["share"] * small).astype(np.int64))
        self.telemetry = point_numbers(TELEMETRY_FIRST, int(count.sum()))
        self.telemetry_area = np.repeat(areas, count)
        self._kind = np.full(len(self.telemetry), BUSINESS)
        last = np.cumsum(count) - 1
        self._kind[last] = SOLAR_PARK
        self._kind[last[count >= figure["with_wind"]] - 1] = WIND_PARK
        annual = np.exp(figure["log_sd"] * rng.standard_normal(len(self.telemetry)))
        annual *= figure["median_wh"]
        for kind, share in ((SOLAR_PARK, "solar_share"), (WIND_PARK, "wind_share")):
            mine = self._kind == kind
            annual[mine] = figure[share] * self._use_wh[self.telemetry_area[mine]]
        self._annual_wh = annual
        self._telemetry_supplier = rng.choice(len(SUPPLIERS), len(annual), p=SUPPLIER_SHARE)

        lamps = figures()["lighting"]
        count = np.maximum(1, np.rint(lamps["points_share"] * small).astype(np.int64))
        self.lighting = point_numbers(LIGHTING_FIRST, int(count.sum()))
        self.lighting_area = np.repeat(areas, count)
        self.lighting_wh = np.repeat(lamps["annual_wh"] * small // count, count)
        self._lighting_supplier = rng.choice(len(SUPPLIERS), len(self.lighting), p=SUPPLIER_SHARE)
        self.losses = point_numbers(LOSS_FIRST, len(areas))
        # One from each area to the national grid, and one between the two.
        self.couplings = point_numbers(COUPLING_FIRST, len(areas) + 1)

    def flows(self, day: date, volume: Ints) -> Flows:
        """Make the energy of a market day around that of the small connections.

        Parameters
        ----------
        volume : their sums, int64 (2, areas, periods) [Wh].
        """
        telemetry, lighting = self._telemetry(day), self._lighting(day)
        out, come = volume.copy()
        np.add.at(out, self.telemetry_area, telemetry[0])
        np.add.at(come, self.telemetry_area, telemetry[1])
        np.add.at(out, self.lighting_area, lighting)
        losses, calculated = self._losses(day, out)
        load = self._mean_load()[1]
        wander = figures()["exchange"]["level"] * load * _wander(self._seed, 16, day)
        exchange = np.rint(wander).astype(np.int64)
        imports = out + losses - come + np.stack([exchange, -exchange])
        return Flows(telemetry, lighting, losses, calculated, imports, exchange)

    def _telemetry(self, day: date) -> Ints:
        figure, count = figures()["telemetry"], periods.count(day)
        noise = generator(self._seed, 14, periods.number(day)).standard_normal(
            (count, len(self.telemetry))
        )
        sd = figure["noise_log_sd"]
        noise = np.exp(sd * remembering(noise, figure["noise_lag_1"]) - sd**2 / 2.0).T
        sd = figure["wind_log_sd"]
        wind = np.exp(sd * _wander(self._seed, 15, day) - sd**2 / 2.0) / QUARTERS
        shape = np.stack([_business_shape(day), sun(day, self._seed), wind])[self._kind]
        made = shape * noise
        most = np.where(self._kind == WIND_PARK, figure["wind_most"] / QUARTERS, np.inf)
        made = self._annual_wh[:, None] * np.minimum(made, most[:, None])
        park = (self._kind != BUSINESS)[:, None]
        own = self._annual_wh[:, None] * figure["own_use_share"] / QUARTERS
        ways = np.stack([np.where(park, own, made), np.where(park, made, 0.0)])
        return np.asarray(np.rint(ways), np.int64)

    def _lighting(self, day: date) -> Ints:
        exact = self.lighting_wh[:, None] * lighting_fractions(day)
        return np.asarray((exact + ONE // 2) // ONE, np.int64)

    def _mean_load(self) -> Floats:
        load = self._use_wh.copy()
        for area, annual in (
            (self.telemetry_area, np.where(self._kind == BUSINESS, self._annual_wh, 0.0)),
            (self.lighting_area, self.lighting_wh),
        ):
            load += np.bincount(area, annual, minlength=len(load))
        return np.asarray(load / QUARTERS)

    def _losses(self, day: date, load: Ints) -> tuple[Ints, Ints]:
        figure, mean = figures()["losses"], self._mean_load()[:, None]
        fixed = figure["fixed_part"]
        by_load = (1.0 - fixed) / figure["form_factor"] * (load / mean) ** 2
        lost = figure["share"] * mean * (fixed + by_load)
        noise = generator(self._seed, 17, periods.number(day)).standard_normal(lost.T.shape)
        off = figure["calculated_sd"] * remembering(noise, figure["calculated_lag_1"]).T
        reckoned = lost * (1.0 + figure["calculated_bias"] + off)
        return np.rint(lost).astype(np.int64), np.rint(reckoned).astype(np.int64)

    # --- as it is delivered ----------------------------------------------------------------------

    def register_rows(self, start: date) -> pa.Table:
        """Write the register rows of the large, unmetered and loss points."""
        losses = np.arange(len(GRID_AREAS))
        area = np.concatenate([self.telemetry_area, self.lighting_area, losses])
        supplier = np.concatenate(
            [self._telemetry_supplier, self._lighting_supplier, np.full(len(losses), LOSS_SUPPLIER)]
        )
        sizes = (len(self.telemetry), len(self.lighting), len(losses))

        def by_kind(*values: str | None) -> pa.Array:
            return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(3), sizes)))

        def texts(numbers: tuple[int, ...], index: Ints, digits: int) -> pa.Array:
            return pa.array([f"{numbers[i]:0{digits}d}" for i in index])

        numbers = np.concatenate([self.telemetry, self.lighting, self.losses])
        n = len(numbers)
        annual = np.concatenate([np.zeros(sizes[0]), self.lighting_wh, np.zeros(sizes[2])])
        unknown = np.repeat([True, False, True], sizes)
        zero = pa.array(np.zeros(n, np.int64), mask=unknown)
        infeed = np.append(self._kind != BUSINESS, np.zeros(n - sizes[0], np.bool_))
        return pa.table(
            {
                "accounting_point": pa.array([codes.ean(int(number)) for number in numbers]),
                "grid_area": texts(GRID_AREAS, area, codes.EAN_DIGITS),
                "brp": texts(BRPS, BRP_OF_SUPPLIER[supplier, area], codes.GLN_DIGITS),
                "supplier": texts(SUPPLIERS, supplier, codes.GLN_DIGITS),
                "group": by_kind(codes.TELEMETRY, codes.UNMETERED, codes.GRID_LOSS),
                "profile_category": by_kind("E3A", "E4A", "E3A"),
                "consumption_type": pa.array(np.where(infeed, "AMI", "AZI").tolist()),
                "market_segment": by_kind("GVB", "KVB", "GVB"),
                "capacity": pa.repeat("3x80", n),
                "physical_status": pa.repeat("in_service", n),
                "remote_reading": pa.repeat("on", n),
                "remotely_readable": pa.array(np.repeat([True, False, True], sizes)),
                "technically_readable": pa.repeat("true", n),
                "annual_offtake_normal_wh": pa.array(annual.astype(np.int64), mask=unknown),
                "annual_offtake_low_wh": zero,
                "annual_infeed_normal_wh": zero,
                "annual_infeed_low_wh": zero,
                "digits": pa.nulls(n, pa.int8()),
                "loss_type": pa.repeat("NVL", n),
                "dimensioned_profile": by_kind(None, STREET_LIGHTING, None),
                "valid_from": pa.array([start] * n, pa.date32()),
                "valid_to": pa.nulls(n, pa.date32()),
            }
        )

    def couplings_table(self, start: date) -> pa.Table:
        """Write the couplings as a file would bring them."""
        areas = [codes.ean(number) for number in GRID_AREAS]
        n = len(self.couplings)
        recorded = datetime(start.year, 1, 1, tzinfo=UTC)
        return pa.table(
            {
                "coupling": pa.array([codes.ean(int(number)) for number in self.couplings]),
                "grid_area": pa.array([*areas, areas[0]]),
                "other_grid_area": pa.array([None, None, areas[1]], pa.string()),
                "valid_from": pa.array([start] * n, pa.date32()),
                "recorded_at": pa.array([recorded] * n, pa.timestamp("s", "UTC")),
            }
        )

    def volumes(self, day: date, flows: Flows) -> pa.Table:
        """Write the quarter volumes delivered for a market day."""
        flat, repaired = self._repaired(day, flows.telemetry)
        parks = self._kind != BUSINESS
        nothing = np.zeros_like(flows.losses, np.int64)
        # From the side of its grid area: E17 out of it, E18 into it.
        net = np.concatenate([-flows.imports, flows.exchange[None]])
        parts = (
            (self.telemetry, codes.OFFTAKE, flat[0], np.where(repaired, REPAIRED, MEASURED)),
            (
                self.telemetry[parks],
                codes.INFEED,
                flat[1, parks],
                np.where(repaired[parks], REPAIRED, MEASURED),
            ),
            (self.losses, codes.OFFTAKE, flows.calculated_losses, nothing + CALCULATED),
            (self.couplings, codes.OFFTAKE, np.maximum(net, 0), np.zeros_like(net)),
            (self.couplings, codes.INFEED, np.maximum(-net, 0), np.zeros_like(net)),
        )
        return pa.concat_tables([_delivered(day, *part) for part in parts]).combine_chunks()

    def _repaired(self, day: date, volume: Ints) -> tuple[Ints, Bools]:
        """Spread some quarters of a few points evenly, as a repair on the register does."""
        figure, count = figures()["telemetry"], periods.count(day)
        rng, length = generator(self._seed, 18, periods.number(day)), figure["repaired_quarters"]
        n = len(self.telemetry)
        out, touched = volume.copy(), np.zeros((n, count), np.bool_)
        for point in rng.choice(n, max(1, round(figure["repaired_share"] * n)), replace=False):
            first = int(rng.integers(0, count - length))
            part = slice(first, first + length)
            touched[point, part] = True
            for way in out[:, point]:
                whole = int(way[part].sum())
                way[part] = whole // length + (np.arange(length) < whole % length)
        return out, touched


def _delivered(day: date, numbers: Ints, direction: str, volume: Ints, said: Ints) -> pa.Table:
    n, count = volume.shape
    names = pa.array([codes.ean(int(number)) for number in numbers])
    start = pa.array(np.tile(periods.starts(day), n))
    columns: dict[str, pa.Array] = {
        "accounting_point": names.take(pa.array(np.repeat(np.arange(n), count))),
        "direction": pa.repeat(direction, n * count),
        "period_start": start.cast(pa.timestamp("s", "UTC")),
        "volume_wh": pa.array(volume.reshape(-1)),
    }
    index = pa.array(said.reshape(-1))
    for place, name in enumerate(("origin", "validation_status", "method")):
        columns[name] = pa.array([words[place] for words in SAID], pa.string()).take(index)
    return pa.table(columns)


def _wander(seed: int, key: int, day: date) -> Floats:
    """Move slowly and run on from day to day: (periods), of spread 1 around 0."""
    tonight, tomorrow = (
        generator(seed, key, periods.number(day) + later).standard_normal() for later in (0, 1)
    )
    count = periods.count(day)
    at = 0.5 * np.pi * (np.arange(count) + 0.5) / count
    return np.asarray(tonight * np.cos(at) + tomorrow * np.sin(at))


def _business_shape(day: date) -> Floats:
    """Spread a year over the periods of a market day, as businesses take it [1/year]."""
    figure = figures()["telemetry"]
    first, last = figure["day_hours"]
    hour = np.arange(24)
    working = np.where(
        (hour >= first) & (hour < last), figure["level_day"], figure["level_night"]
    ).astype(np.float64)
    weekend = np.full(24, figure["level_weekend"], np.float64)
    mean = (5.0 * working.mean() + 2.0 * weekend.mean()) / 7.0
    table = working if day_kind(day) == 0 else weekend
    clock = periods.local_hours(day) + (np.arange(periods.count(day)) % 4 + 0.5) / 4.0
    level = np.interp(clock, hour + 0.5, table, period=24.0)
    return np.asarray(level / mean / QUARTERS)


def lighting_fractions(day: date) -> Ints:
    """Give the fractions of street lighting in the periods of a market day [1e-8]."""
    first = periods.day_start(date(day.year, 1, 1))
    at = (periods.day_start(day) - first) // periods.SECONDS
    return _lighting_year(day.year)[at : at + periods.count(day)]


@lru_cache(maxsize=4)
def _lighting_year(year: int) -> Ints:
    """Count the minutes with the lamps on, as fractions of the year that sum to 1 exactly."""
    figure = figures()["lighting"]
    first = periods.day_start(date(year, 1, 1))
    minutes = (periods.day_start(date(year + 1, 1, 1)) - first) // 60
    moment = first + 60.0 * np.arange(minutes) + 30.0
    # The sun's height by its declination and hour angle, with the equation of time [minutes].
    number = 1.0 + (moment - first) / 86_400.0
    declination = np.radians(-23.44) * np.cos(2.0 * np.pi / 365.0 * (number + 10.0))
    turn = 2.0 * np.pi / 365.0 * (number - 81.0)
    early = 9.87 * np.sin(2.0 * turn) - 7.53 * np.cos(turn) - 1.5 * np.sin(turn)
    solar_hour = moment % 86_400.0 / 3_600.0 + figure["longitude"] / 15.0 + early / 60.0
    hour_angle = np.radians(15.0 * (solar_hour - 12.0))
    north = np.radians(figure["latitude"])
    height = np.sin(north) * np.sin(declination)
    height += np.cos(north) * np.cos(declination) * np.cos(hour_angle)
    on = height < np.sin(np.radians(figure["below_degrees"]))
    burnt = np.cumsum(on.reshape(-1, 15).sum(axis=1), dtype=np.int64)
    return np.asarray(np.diff(burnt * ONE // burnt[-1], prepend=0), np.int64)


def lighting_table(days: list[date]) -> pa.Table:
    """Write the dimensioned profile of street lighting as a file would bring it."""
    starts = np.concatenate([periods.starts(day) for day in days])
    parts = np.concatenate([lighting_fractions(day) for day in days])
    texts = pa.array([f"{part // ONE}.{part % ONE:08d}" for part in parts.tolist()])
    return pa.table(
        {
            "profile": pa.repeat(STREET_LIGHTING, len(parts)),
            "period_start": pa.array(starts).cast(pa.timestamp("s", "UTC")),
            "fraction": texts.cast(pa.decimal128(9, 8)),
        }
    )
