"""How a page that loads nothing from anywhere is put together from its assets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any


def as_json(data: Mapping[str, Any]) -> str:
    """Write data so that nothing in it may end the script element or open a comment."""
    written = json.dumps(data, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def filled(name: str, parts: Mapping[str, str]) -> str:
    """Fill the holes of an asset."""
    return re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], asset(name))


def hash_of(script: str) -> str:
    """Name a script by its content, for the policy of the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def asset(name: str) -> str:
    """Read an asset."""
    return (resources.files("kwartier.apps") / "assets" / name).read_text(encoding="utf-8")
