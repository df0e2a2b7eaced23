"""What the customers of a simulated area have, and how the suppliers' customers differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier.simulation.figures import Floats, figures, generator

Bools = npt.NDArray[np.bool_]
_MOST = 0.95  # of a supplier's customers, however much its share is raised


@dataclass(frozen=True)
class Mix:
    """Shares of the small connections that have something, or refused remote reading.

    Suppliers differ: each share is raised or lowered at each supplier by the figures of `mix`. A
    larger share has the customers of the smaller.

    Attributes
    ----------
    refused_at : index of the supplier whose customers alone refuse, as many as `refused` says of
        all as far as it has them; None: alike at every supplier.
    """

    panels: float = 0.3
    cars: float = 0.1
    pumps: float = 0.1
    dynamic: float = 0.1
    refused: float = 0.05
    refused_at: int | None = None


class Owned(NamedTuple):
    """What each point has.

    `panels` and `refused` are the chance of each point; `new_panels` those whose panels are of the
    last year; `car_wh` and `pump_wh` what a year takes [Wh], 0 without; `known_extra_wh` the part
    of both that the annual volume of the register already has.
    """

    panels: Floats
    new_panels: Bools
    refused: Floats
    car_wh: Floats
    pump_wh: Floats
    known_extra_wh: Floats
    dynamic: Bools


def owned(
    supplier: npt.NDArray[np.int64], supplier_share: Sequence[float], seed: int, mix: Mix | None
) -> Owned:
    """Say what each point has; without a mix panels and refusals alone, alike at every supplier."""
    count, none = len(supplier), np.zeros(len(supplier))
    if mix is None:
        panels, refused = figures()["solar"]["share"], figures()["connections"]["refused"]
        no = np.zeros(count, np.bool_)
        return Owned(none + panels, no, none + refused, none, none, none, no)
    figure, rng = figures()["mix"], generator(seed, 20)

    def chance(name: str) -> Floats:
        level = _tilted(getattr(mix, name), figure["tilt"][name], supplier_share)
        return np.asarray(level[supplier])

    new = {name: rng.random(count) < figure["new"][name] for name in ("panels", "cars", "pumps")}
    extra, known = {}, none
    for name in ("cars", "pumps"):
        has = rng.random(count) < chance(name)
        yearly = figure[name]["annual_wh"] * np.exp(
            figure[name]["log_sd"] * rng.standard_normal(count)
        )
        extra[name] = np.where(has, yearly, 0.0)
        known = known + np.where(new[name], 0.0, extra[name])
    dynamic = rng.random(count) < chance("dynamic")
    refused = none + mix.refused
    if mix.refused_at is not None:
        of_one = min(1.0, mix.refused / supplier_share[mix.refused_at])
        refused = np.where(supplier == mix.refused_at, of_one, 0.0)
    return Owned(
        chance("panels"), new["panels"], refused, extra["cars"], extra["pumps"], known, dynamic
    )


def _tilted(share: float, tilt: Sequence[float], supplier_share: Sequence[float]) -> Floats:
    """Give the share at each supplier: in the ratio of the tilt, and nowhere nearly all of them.

    Their mean is the share that was asked.
    """
    weight, size = np.array(tilt, np.float64), np.array(supplier_share, np.float64)
    low, high = 0.0, 1.0 / weight.min()
    for _ in range(60):  # halved until it is as exact as a float can be
        middle = (low + high) / 2.0
        below = np.dot(np.minimum(middle * weight, _MOST), size) < share
        low, high = (middle, high) if below else (low, middle)
    return np.asarray(np.minimum(high * weight, _MOST))
