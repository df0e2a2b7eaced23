"""The balance of a grid area → its residual, the factor RCF, and profiled volumes that close it.

`V_A = Σ annual offtake × fraction`, `V_I = Σ profiled infeed`,
`R = import − export + TMT_I + SMA_I + DIM_I + V_I − TMT_A − SMA_A − DIM_A − losses`,
`RCF = R ÷ V_A`. The exact factor is used, in whole numbers, so the area closes to the Wh; the
message carries it rounded. Source: Netcode Bijlage 18; domain §6; decisions §22.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import findings, parameters, shares, tables
from kwartier.arrays import FRACTION_SCALE, Int64s, runs_of
from kwartier.findings import Records
from kwartier.parameters import Parameters

FACTOR_SCALE = 10**5  # a residual factor has exactly 5 decimals


class Closed(NamedTuple):
    """The residual of a day and what becomes of it.

    `residual`, `assumed`, `unassigned` (periods) [Wh], `factor` (periods) [1e-5], `offtake`
    (cells, periods) [Wh] the profiled offtake; `found`: residual_factor_out_of_band and
    energy_unassigned.
    """

    residual: Int64s
    assumed: Int64s
    factor: Int64s
    unassigned: Int64s
    offtake: Int64s
    found: Records


def assume(weights: shares.Products) -> Int64s:
    """Give the profiled offtake as assumed, with factor 1.

    Returns
    -------
    offtake : (cells, periods) [Wh]; each period's sum is rounded half up.
    """
    offtake = np.zeros(weights.shape, np.int64)
    for t, column in enumerate(weights.T.tolist()):
        if any(column):
            total = shares.half_up(sum(column), FRACTION_SCALE)
            offtake[:, t] = shares.spread(total, column)
    return offtake


def close(residual: Int64s, weights: shares.Products, held: Parameters) -> Closed:
    """Assign the residual of an area to its profiled offtake.

    Parameters
    ----------
    residual : (periods) [Wh].
    weights : (cells, periods) [1e-8 Wh], 0 or more.
    """
    columns = weights.T.tolist()
    sums = [sum(column) for column in columns]
    exact: list[Fraction | None] = [None] * len(sums)
    if held.residual_assigned_to == parameters.ON_OFFTAKE:
        offtake = np.zeros(weights.shape, np.int64)
        for t, (r, v) in enumerate(zip(residual.tolist(), sums, strict=True)):
            if v:
                offtake[:, t] = shares.spread(r, columns[t])
                exact[t] = Fraction(r * FRACTION_SCALE, v)
    else:
        offtake = assume(weights)
    factor = [
        FACTOR_SCALE if f is None else shares.half_up(f.numerator * FACTOR_SCALE, f.denominator)
        for f in exact
    ]
    unassigned = residual - offtake.sum(axis=0)
    return Closed(
        residual,
        np.array([shares.half_up(v, FRACTION_SCALE) for v in sums], np.int64),
        np.array(factor, np.int64),
        unassigned,
        offtake,
        np.concatenate([_alarms(exact, factor, held), _unassigned(unassigned)]),
    )


def _alarms(exact: list[Fraction | None], factor: list[int], held: Parameters) -> Records:
    found = [np.empty(0, findings.RECORD)]
    for limit, side in ((held.residual_alarm_low, -1), (held.residual_alarm_high, 1)):
        beyond = np.array([f is not None and (f - limit) * side > 0 for f in exact], bool)
        _, first, last = runs_of(beyond[None, :])
        found.append(
            findings.records(
                "residual_factor_out_of_band",
                np.full(len(first), findings.OF_AREA, np.int64),
                first_period=first + 1,
                last_period=last + 1,
                observed=np.array(factor, np.int64)[first],
                limit=int(limit * FACTOR_SCALE),
            )
        )
    return np.concatenate(found)


def _unassigned(unassigned: Int64s) -> Records:
    at = np.nonzero(unassigned)[0]
    return findings.records(
        "energy_unassigned",
        np.full(min(len(at), 1), findings.OF_AREA, np.int64),
        first_period=at[:1] + 1,
        last_period=at[-1:] + 1,
        observed=int(np.abs(unassigned).sum()),
    )


def table(day: date, grid_area: str, closed: Closed, infeed: Int64s) -> pa.Table:
    """Make tables.RESIDUAL of a grid area.

    Parameters
    ----------
    infeed : (periods) [Wh], the profiled infeed.
    """
    return pa.table(
        {
            **tables.period_columns(day, 1),
            "grid_area": [grid_area] * len(infeed),
            "residual_wh": closed.residual,
            "assumed_offtake_wh": closed.assumed,
            "assumed_infeed_wh": infeed,
            "factor": closed.factor,
            "unassigned_wh": closed.unassigned,
        },
        schema=tables.RESIDUAL.schema,
    )
