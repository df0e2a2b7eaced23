"""The messages of the Dutch market, N101 to N151 and the acknowledgement, as XML.

The official schemas are for members of the market only. Ours, the "NL profile", is made from what
SD030 says of the elements; it lies in `schemas/` and is there to be replaced. Reading is strict in
form, and lax where a check of the receiver has a code: then the document that comes out says how it
was written (`documents.Form`), and `steps/receiving/` judges it. Source: SD030 v4.0; domain §8;
decisions §35.
"""

from kwartier.codecs.dutch.acknowledgements import read_acknowledgement, write_acknowledgement
from kwartier.codecs.dutch.messages import NAMESPACE
from kwartier.codecs.dutch.reading import read
from kwartier.codecs.dutch.writing import write

__all__ = ["NAMESPACE", "read", "read_acknowledgement", "write", "write_acknowledgement"]
