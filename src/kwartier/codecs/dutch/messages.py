"""Which messages there are: their elements, their versions, and what each of them can say.

A new version of a message is its schema, `schemas/PROCESS_VERSION.xsd`, and its number here: all
versions named are read, the last one is written. Source: SD030 v4.0 §elements; domain §8.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from kwartier import codes, documents
from kwartier.codecs import xml

# All messages of the profile have it, before their name and version.
NAMESPACE = "urn:kwartier:nl-profile:"

_PARTY = frozenset({"direction", "brp", "supplier"})
_KIND = frozenset({"profile_category", "consumption_type"})
_POINT = _PARTY | {"point", "origins", "statuses", "methods", "revision_request"}

AGGREGATED, INDIVIDUAL, FACTOR = "Aggregated", "Individual", "Factor"


@dataclass(frozen=True)
class Message:
    """The message of a process.

    `says` names the parts of a series that may be left empty and that it has an element for; of a
    series that has another one it cannot be written.
    """

    process: str
    shape: str
    group: str
    says: frozenset[str]
    versions: tuple[str, ...] = ("1",)

    @property
    def root(self) -> str:
        """The name of its outermost element."""
        return f"{self.series.removesuffix('_Series')}_MarketDocument"

    @property
    def series(self) -> str:
        """The name of the element of a series."""
        if self.shape == FACTOR:
            return "AllocationFactor_Series"
        return f"{self.shape}Allocation_Series"


MESSAGES = {
    message.process: message
    for message in (
        Message(documents.TELEMETRY_POINT, INDIVIDUAL, codes.TELEMETRY, _POINT),
        Message(documents.TELEMETRY_SUM, AGGREGATED, codes.TELEMETRY, _PARTY),
        Message(documents.SMART_METERS, AGGREGATED, codes.SMART_METER, _PARTY | {"origin"}),
        Message(documents.PROFILED, AGGREGATED, codes.PROFILE, _PARTY | _KIND),
        Message(documents.LOSS_POINT, INDIVIDUAL, codes.GRID_LOSS, _POINT),
        Message(documents.LOSS_SUM, AGGREGATED, codes.GRID_LOSS, _PARTY),
        Message(documents.UNMETERED_POINT, INDIVIDUAL, codes.UNMETERED, _POINT),
        Message(documents.UNMETERED_SUM, AGGREGATED, codes.UNMETERED, _PARTY),
        Message(
            documents.FACTORS, FACTOR, codes.PROFILE, _KIND | {"direction", "status", "version"}
        ),
    )
}

ACKNOWLEDGEMENT = "acknowledgement"
ACKNOWLEDGEMENT_VERSIONS: tuple[str, ...] = ("1",)
ACKNOWLEDGEMENT_ROOT = "Acknowledgement_MarketDocument"


def namespace(name: str, version: str) -> str:
    """Give the namespace of a version of a message."""
    return f"{NAMESPACE}{name}:{version}"


def named(content_namespace: str) -> tuple[str, str]:
    """Give the message and the version that a namespace names; another is ("", "")."""
    if not content_namespace.startswith(NAMESPACE):
        return "", ""
    name, _, version = content_namespace.removeprefix(NAMESPACE).partition(":")
    return name, version


def schema(name: str, version: str) -> etree.XMLSchema:
    """Give the schema of a version of a message."""
    return xml.schema(__package__, f"schemas/{name}_{version}.xsd")


def root(content: bytes, name: str | None) -> tuple[etree._Element, str, str]:
    """Parse bytes from outside and hold them against the schema that their namespace names.

    Parameters
    ----------
    name : the one message that may be there, or None: one of MESSAGES.

    Returns
    -------
    root, its namespace in braces, and the name of the message.

    Raises
    ------
    Unreadable : not XML that may be read, no such message, or not what its schema asks.
    """
    parsed = xml.parse(content)
    tag = etree.QName(parsed)
    found, version = named(tag.namespace or "")
    if found == ACKNOWLEDGEMENT and name == ACKNOWLEDGEMENT:
        versions, expected = ACKNOWLEDGEMENT_VERSIONS, ACKNOWLEDGEMENT_ROOT
    elif found in MESSAGES and name is None:
        versions, expected = MESSAGES[found].versions, MESSAGES[found].root
    else:
        wanted = "an acknowledgement" if name else "a message"
        raise xml.Unreadable(f"the document is not {wanted} of the NL profile; see its namespace")
    if version not in versions:
        raise xml.Unreadable(
            f"{found}: this version is not read; expected one of {', '.join(versions)}"
        )
    if tag.localname != expected:
        raise xml.Unreadable(f"{found}: expected {expected} as outermost element")
    xml.validate(parsed, schema(found, version))
    return parsed, f"{{{tag.namespace}}}", found
