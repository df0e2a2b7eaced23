"""Annual volumes out of the rows of the register."""

from __future__ import annotations

from typing import Any

import numpy as np

from kwartier.kernels.compiled import compiled


@compiled
def annual_volumes(rows: Any, given: Any, kind: Any, assumed: Any, most: Any) -> Any:
    """Take the annual volumes of points out of their rows; what is not given is assumed.

    Parameters
    ----------
    rows : the row of each point.
    given : four arrays (all rows): offtake in the normal and the low tariff, infeed likewise [Wh];
        below 0 where not given. A volume given for one tariff only is 0 in the other.
    kind : (all rows), an index in the next two.
    assumed, most : int64 (kinds, 2, 2) and (kinds), what to assume of each direction, in all and in
        the low tariff, and the highest possible [Wh]; 0: there is none.

    Returns
    -------
    total, low, known : (points, 2); above : how many are higher than possible.
    """
    total = np.empty((rows.size, 2), np.int64)
    low = np.empty((rows.size, 2), np.int64)
    known = np.empty((rows.size, 2), np.bool_)
    above = 0
    for d in range(2):
        in_normal, in_low = given[2 * d], given[2 * d + 1]
        for i in range(rows.size):
            row = rows[i]
            k = kind[row]
            known[i, d] = in_normal[row] >= 0 or in_low[row] >= 0
            if known[i, d]:
                low[i, d] = max(in_low[row], np.int64(0))
                total[i, d] = max(in_normal[row], np.int64(0)) + low[i, d]
            else:
                total[i, d] = assumed[k, d, 0]
                low[i, d] = assumed[k, d, 1]
            above += most[k] > 0 and total[i, d] > most[k]
    return total, low, known, above
