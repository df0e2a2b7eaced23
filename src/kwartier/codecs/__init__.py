"""Bytes ↔ documents, a room for each format; no socket, no file, no clock.

Every codec has `write(document) -> bytes` and `read(content) -> document`, and raises Unreadable
when bytes are not what it reads. Nothing that was not disclosed comes here (runs/releasing.py).
"""

from kwartier.codecs.cim.layout import Unwritable
from kwartier.codecs.formats import FORMATS, LEAVING, Format, recognise
from kwartier.codecs.xml import MOST_BYTES, Unreadable

__all__ = [
    "FORMATS",
    "LEAVING",
    "MOST_BYTES",
    "Format",
    "Unreadable",
    "Unwritable",
    "recognise",
]
