"""The header of a CIM document: who sends it to whom, in which role, and when it was made.

Source: IEC 62325-351 (MarketParticipant); domain §8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any

from kwartier.codecs.cim import cells
from kwartier.codecs.cim.layout import CODE, ID, Field, Unwritable, Values
from kwartier.codecs.xml import Unreadable
from kwartier.documents import (
    BALANCE_RESPONSIBLE,
    OPERATOR,
    SUPPLIER,
    SYSTEM_OPERATOR,
    Acknowledgement,
    Document,
    Series,
)

# Roles as ENTSO-E has them: metered data aggregator, imbalance settlement responsible, balance
# responsible party, energy supplier. Of others the first two may come as grid access provider and
# system operator.
ROLES = {OPERATOR: "A09", SYSTEM_OPERATOR: "A05", BALANCE_RESPONSIBLE: "A08", SUPPLIER: "A12"}
OF_CODE = {code: role for role, code in ROLES.items()} | {"A17": OPERATOR, "A04": SYSTEM_OPERATOR}

PARTIES = (
    Field("sender_MarketParticipant.mRID", ID, longest=16),
    Field("sender_MarketParticipant.marketRole.type", CODE),
    Field("receiver_MarketParticipant.mRID", ID, longest=16),
    Field("receiver_MarketParticipant.marketRole.type", CODE),
)


def write(document: Document | Acknowledgement, roles: Mapping[str, str]) -> Values:
    """Write the id, the moment and the parties of a document; `roles` gives the code of a role.

    Raises
    ------
    Unwritable : a role has no code.
    """
    values: Values = {"mRID": document.id, "createdDateTime": cells.second(document.created_at)}
    for side, party, role in (
        ("sender", document.sender, document.sender_role),
        ("receiver", document.receiver, document.receiver_role),
    ):
        if role not in roles:
            raise Unwritable(f"{side}_role: expected one of {', '.join(roles)}")
        values[f"{side}_MarketParticipant.mRID"] = party
        values[f"{side}_MarketParticipant.marketRole.type"] = roles[role]
    return values


def read(values: Values, of_code: Mapping[str, str]) -> dict[str, Any]:
    """Read the id, the moment and the parties of a document, as its fields; a role by its code.

    Raises
    ------
    Unreadable : a role has another code than these.
    """
    found = {
        "id": values["mRID"],
        "created_at": cells.read_second(values["createdDateTime"], "createdDateTime"),
    }
    for side in ("sender", "receiver"):
        code = values.get(f"{side}_MarketParticipant.marketRole.type", "")
        if code and code not in of_code:
            raise Unreadable(
                f"{side}_MarketParticipant.marketRole.type: expected one of {', '.join(of_code)}"
            )
        found[side] = values[f"{side}_MarketParticipant.mRID"]
        found[f"{side}_role"] = of_code.get(code, "")
    return found


def check_carried(series: Series, carried: Collection[str], where: str) -> None:
    """Check that a series has only what the format has an element for.

    Raises
    ------
    Unwritable : it has more, which would be lost.
    """
    for field in fields(series):
        if field.name == "form":  # how it was written elsewhere; no part of what it says
            continue
        empty = "" if field.default is MISSING else field.default
        if field.name not in carried and getattr(series, field.name) != empty:
            raise Unwritable(
                f"{where}{field.name}: the format has no element for it; sum the series over it"
            )
