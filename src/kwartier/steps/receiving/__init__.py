"""A document from another party → whether it is accepted, and if not, every reason with its code.

The codes are those of SD030; what exactly each of several codes for one thing means is ours where
the source was not readable (decisions §35). A rule looks at the document, at how it was written
where that is known, and at what the receiver knows; what he does not know fires no rule.

Source: SD030 v4.0 §receiver checks; domain §8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kwartier import documents
from kwartier.documents import Document, Reason
from kwartier.steps.receiving import content, identity
from kwartier.steps.receiving.known import Finds, Known, Subject, subject

__all__ = ["RULES", "Known", "Rule", "Subject", "check", "subject", "unread"]


@dataclass(frozen=True)
class Rule:
    """A check of the receiver; `meaning` says what is wrong when it fires.

    `everywhere` : it also holds for documents of other markets' processes.
    """

    code: str
    meaning: str
    find: Callable[[Document, Known, int], Finds]
    everywhere: bool = False


# Of a code at most so many series are named; a document may have thousands.
_MOST_NAMED = 10


def check(document: Document, known: Known, at: int) -> tuple[Reason, ...]:
    """Give why a document is refused; or that it is accepted, as its only reason.

    Parameters
    ----------
    at : the moment at which it came in [s UTC].
    """
    # An international document has another name than any process of the Dutch market.
    dutch = bool(document.written_as) or document.process in documents.PROCESSES
    reasons = [
        reason
        for rule in RULES
        if dutch or rule.everywhere
        for reason in _reasons(rule, rule.find(document, known, at))
    ]
    return tuple(reasons) or (Reason(documents.ACCEPTED),)


def unread(why: str) -> tuple[Reason, ...]:
    """Give the reason to refuse what could not be read as a document."""
    return (Reason(documents.OTHER, why),)


def _reasons(rule: Rule, finds: Finds) -> Iterator[Reason]:
    for number, found in enumerate(finds):
        if number == _MOST_NAMED:
            yield Reason(rule.code, f"{rule.meaning}; also in more series")
            return
        text = f"{rule.meaning}; expected {found.expected}" if found.expected else rule.meaning
        yield Reason(rule.code, text, found.series.id if found.series else "")


# Holds for documents of any process.
EVERYWHERE = True

RULES: tuple[Rule, ...] = (
    Rule("650", "the EAN-18 of a point is missing, or its check digit is wrong", identity.point),
    Rule("651", "the EAN-18 of a grid area is missing, or its check digit is wrong", identity.area),
    Rule(
        "663", "the interval is not the local calendar day of the document", content.day, EVERYWHERE
    ),
    Rule("667", "the product is not active energy", content.product),
    Rule("668", "the unit is another", content.unit),
    Rule("669", "the id of the message was used before", identity.message_id, EVERYWHERE),
    Rule("670", "the id of a series was used before", identity.series_id, EVERYWHERE),
    Rule("671", "the day has another number of positions", content.number_of_positions, EVERYWHERE),
    Rule("676", "the first position is another", content.first_position, EVERYWHERE),
    Rule("681", "there is no such process", identity.process),
    Rule("683", "origin, validation status and repair method do not go together", content.triple),
    Rule("686", "a volume is below zero in a group where none may be", content.negative),
    Rule("701", "the sender in the header is no grid operator", identity.sender),
    Rule("704", "a later creation about the same was accepted already", content.newer, EVERYWHERE),
    Rule("745", "the receiver in the header is another", identity.receiver, EVERYWHERE),
    Rule("747", "the message is that of another process", identity.other_process),
    Rule("754", "the process is not for this receiver", identity.not_for_receiver),
    Rule("758", "the balance responsible party is missing", identity.brp_missing),
    Rule(
        "759",
        "the supplier is missing where series are per supplier",
        identity.supplier_missing,
    ),
    Rule("761", "the party is not active for the group in the grid area", identity.not_active),
    Rule("763", "the document comes too late", content.too_late, EVERYWHERE),
    Rule("764", "the number of series is another", content.number_of_series),
    Rule(
        "765", "the balance responsible party is not recognised", identity.brp_unknown, EVERYWHERE
    ),
    Rule("769", "the run id is that of another grid area or day", identity.run_id, EVERYWHERE),
    Rule("771", "the profile category is missing or unknown", content.category),
    Rule("772", "the period is not in the past", content.not_past, EVERYWHERE),
    Rule("773", "the resolution is another", content.resolution),
    Rule("774", "a volume has another number of decimals", content.decimals_of_volume),
    Rule("776", "a factor or fraction has another number of decimals", content.decimals_of_factor),
    Rule(
        "777", "the grid area is unknown, or not of this sender", identity.area_unknown, EVERYWHERE
    ),
    Rule("779", "the consumption type is missing or unknown", content.consumption_type),
    Rule("780", "the sender in the header is not the one who sends", identity.bearer, EVERYWHERE),
    Rule("781", "category, type, direction or status where none belongs, or missing", content.kind),
    Rule("782", "the positions do not follow each other", content.increment, EVERYWHERE),
    Rule(documents.OTHER, "the creation lies in the future", content.ahead, EVERYWHERE),
)
