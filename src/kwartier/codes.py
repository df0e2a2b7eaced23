"""Identifiers with their check digits, and the code lists of the market.

Source: GS1 General Specifications (mod 10); SD030 §code lists; NBNL register model; domain §2–§5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

EAN_DIGITS = 18
GLN_DIGITS = 13

OFFTAKE, INFEED = "E17", "E18"
DIRECTIONS = (OFFTAKE, INFEED)
MEASURED, CALCULATED = "MSR", "CLC"
ORIGINS = (MEASURED, CALCULATED)

SMART_METER, PROFILE, TELEMETRY, UNMETERED, GRID_LOSS = "SMA", "PRF", "TMT", "DIM", "NVL"
GROUPS = (SMART_METER, PROFILE, TELEMETRY, UNMETERED, GRID_LOSS)
# Of these groups the quarter volumes are delivered, as they are of couplings.
BY_VOLUMES = (TELEMETRY, GRID_LOSS)
# The kinds of grid loss; an area has at most one point of each.
LOSS_TYPES = ("NVB", "TVB", "OVB", "NVL")
# Lines of an area's balance beside the groups: couplings, and what no party bears.
COUPLING, UNASSIGNED = "NKP", "RST"

# In place of the suppliers that disclosure control tells together; it has no GLN in a document.
OTHER_SUPPLIERS = "other"

# What a delivered quarter volume says of itself: where it comes from (unmeasured, not metered
# beside measured and calculated), and whether it was validated. How they may be combined, with the
# repair method, is the parameter `telemetry_triples`.
UNMEASURED, NOT_METERED = "UMS", "NMS"
DELIVERED_ORIGINS = (MEASURED, CALCULATED, UNMEASURED, NOT_METERED)
VALIDATED, NOT_VALIDATED = "VLD", "NVD"
VALIDATION_STATUSES = (VALIDATED, NOT_VALIDATED)

# How a calculated volume was made (domain §5).
FROM_REGISTERS, FROM_ANNUAL, FROM_NO_CURRENT = "CMR", "GMR", "NCD"
METHODS = (FROM_REGISTERS, FROM_ANNUAL, FROM_NO_CURRENT)

# Where a fraction comes from: the day itself, the reference area, all areas, the standard profile.
DYNAMIC, REFERENCE, NATIONAL, STANDARD = "DYN", "FBR", "FBL", "STD"
STATUSES = (DYNAMIC, REFERENCE, NATIONAL, STANDARD)

PROFILE_CATEGORIES = ("E1A", "E1B", "E1C", "E2A", "E2B", "E3A", "E3B", "E3C", "E3D", "E4A")
# Of these the market has no dynamic fractions (SD030).
ALWAYS_STANDARD = ("E3A", "E3B", "E3C", "E3D", "E4A")
WITH_INFEED, WITHOUT_INFEED = "AMI", "AZI"
CONSUMPTION_TYPES = (WITH_INFEED, WITHOUT_INFEED)
SMALL, LARGE = "KVB", "GVB"
MARKET_SEGMENTS = (SMALL, LARGE)
PHYSICAL_STATUSES = ("under_construction", "in_service", "out_of_service")
UNREADABLE_REASONS = ("39.1", "39.2", "39.3", "39.4", "39.5", "39.6")

# capacity token: (phases, amperes)
CAPACITIES = {
    token: (int(token[0]), int(token[2:]))
    for token in (
        "1x6 1x10 1x25 1x35 1x50 1x63 1x80 3x25 3x35 3x50 3x63 3x80".split()  # KVB ≤ 3x80 A
    )
}

# What is exchanged (SD030; domain §3): active energy, its product type, its unit, its resolution.
ACTIVE_ENERGY, ENERGY_PRODUCT, KILOWATT_HOUR, QUARTER_HOUR = "8716867000030", "023", "KWH", "PT15M"

# OBIS codes of the registers, in the order in which rows of a point are stored.
REGISTERS = ("1.8.0", "1.8.1", "1.8.2", "2.8.0", "2.8.1", "2.8.2")
REGISTER_INDEX = {obis: index for index, obis in enumerate(REGISTERS)}

# AMR status bits that make a reading unusable: critical error, clock invalid, data not valid.
STATUS_REJECTING = 0b111


def check_digits_hold(numbers: npt.NDArray[np.int64], digits: int) -> npt.NDArray[np.bool_]:
    """Tell for each number whether its last digit is the GS1 mod-10 check digit of the others.

    Parameters
    ----------
    numbers : int64 (n), the identifiers as whole numbers, leading zeros left out.
    digits : 18 for an EAN-18, 13 for a GLN-13.
    """
    rest = numbers // 10
    total = np.zeros(numbers.shape, np.int64)
    for place in range(digits - 1):
        total += (rest % 10) * (3 if place % 2 == 0 else 1)
        rest = rest // 10
    in_range = (numbers >= 0) & (rest == 0)
    return np.asarray(in_range & ((10 - total % 10) % 10 == numbers % 10))


def with_check_digit(body: int) -> int:
    """Append the GS1 mod-10 check digit to the digits of an EAN or GLN."""
    total, rest, weight = 0, body, 3
    while rest:
        total += rest % 10 * weight
        rest, weight = rest // 10, 4 - weight
    return body * 10 + (10 - total % 10) % 10


def ean(number: int) -> str:
    """Write an EAN-18 with its leading zeros."""
    return f"{number:0{EAN_DIGITS}d}"
