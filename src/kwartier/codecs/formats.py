"""Every format that is written and read, and which one a document is of.

A new format, or a new version of one, gets its line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kwartier.codecs import acknowledgement, energy_account, json, rsm014, xml
from kwartier.codecs.xml import Unreadable


@dataclass(frozen=True)
class Format:
    """A format: what its documents begin with, and its codec.

    `root` : `{namespace}name` of an XML document; the first key of a JSON one.
    `write`, `read` : of a Document, or of an Acknowledgement.
    """

    root: str
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


FORMATS = {
    "rsm014-xml": Format(f"{{{rsm014.NAMESPACE}}}{rsm014.NAME}", rsm014.write_xml, rsm014.read_xml),
    "rsm014-json": Format(rsm014.NAME, rsm014.write_json, rsm014.read_json),
    **{
        f"energy-account-{version}": Format(
            f"{{{of.namespace}}}{energy_account.NAME}",
            partial(energy_account.write, version=version),
            partial(energy_account.read, version=version),
        )
        for version, of in energy_account.VERSIONS.items()
    },
    "acknowledgement-8.1": Format(
        f"{{{acknowledgement.NAMESPACE}}}{acknowledgement.NAME}",
        acknowledgement.write,
        acknowledgement.read,
    ),
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
        if known.root == root:
            return name
    raise Unreadable(f"a document of no known format; expected one of {', '.join(FORMATS)}")
