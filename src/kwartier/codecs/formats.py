"""Every format of documents: how it begins, its codec, and how its documents are answered.

A new format, or a new version of one, gets its line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from kwartier.codecs import acknowledgement, dutch, energy_account, json, rsm014, xml
from kwartier.codecs.xml import Unreadable
from kwartier.documents import Acknowledgement, Document
from kwartier.steps import addressing

XML, JSON = "application/xml", "application/json"


class Format(NamedTuple):
    """A format: what its documents begin with, their codec, their media type, and their answer.

    `begins` : the beginning of `{namespace}name` of an XML document; of a JSON one its first key.
    """

    begins: str
    content_type: str
    write: Callable[[Document], bytes]
    read: Callable[[bytes], Document]
    write_acknowledgement: Callable[[Acknowledgement], bytes] = acknowledgement.write
    read_acknowledgement: Callable[[bytes], Acknowledgement] = acknowledgement.read


FORMATS: Mapping[str, Format] = {
    "dutch": Format(
        f"{{{dutch.NAMESPACE}",
        XML,
        dutch.write,
        dutch.read,
        dutch.write_acknowledgement,
        dutch.read_acknowledgement,
    ),
    "rsm014-xml": Format(
        f"{{{rsm014.NAMESPACE}}}{rsm014.NAME}", XML, rsm014.write_xml, rsm014.read_xml
    ),
    "rsm014-json": Format(rsm014.NAME, JSON, rsm014.write_json, rsm014.read_json),
    **{
        f"energy-account-{version}": Format(
            f"{{{of.namespace}}}{energy_account.NAME}",
            XML,
            partial(energy_account.write, version=version),
            partial(energy_account.read, version=version),
        )
        for version, of in energy_account.VERSIONS.items()
    },
}

# In which of them a document leaves, by the word that the parties of a home have for it.
LEAVING: Mapping[str, Format] = {
    addressing.DUTCH: FORMATS["dutch"],
    addressing.RSM014: FORMATS["rsm014-xml"],
    addressing.ENERGY_ACCOUNT: FORMATS["energy-account-4.1"],
}


def recognise(content: bytes) -> str:
    """Tell of which format a document is; only its first bytes are read.

    Raises
    ------
    Unreadable : of none, or it does not begin as a document does.
    """
    begin = bytes(content[:256]).removeprefix(b"\xef\xbb\xbf").lstrip()
    root = xml.root_of(content) if begin[:1] != b"{" else json.root_of(content)
    for name, known in FORMATS.items():
        if root.startswith(known.begins):
            return name
    raise Unreadable(f"a document of no known format; expected one of {', '.join(FORMATS)}")
