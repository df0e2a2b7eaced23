"""The formats in which parties receive: how a document and its acknowledgement are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from kwartier.codecs import acknowledgement, dutch, energy_account, rsm014
from kwartier.documents import Acknowledgement, Document
from kwartier.steps.addressing import DUTCH, ENERGY_ACCOUNT, RSM014


class Format(NamedTuple):
    """How a document becomes bytes, of which media type, and how what is said of it is read."""

    write: Callable[[Document], bytes]
    read_acknowledgement: Callable[[bytes], Acknowledgement]
    content_type: str


FORMATS: Mapping[str, Format] = {
    DUTCH: Format(dutch.write, dutch.read_acknowledgement, "application/xml"),
    RSM014: Format(rsm014.write_xml, acknowledgement.read, "application/xml"),
    ENERGY_ACCOUNT: Format(
        partial(energy_account.write, version="4.1"), acknowledgement.read, "application/xml"
    ),
}
