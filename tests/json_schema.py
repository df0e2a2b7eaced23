"""JSON Schema draft 7 as far as the CIM schemas use it, so that no validator need be installed."""

import json
import re
from decimal import Decimal
from pathlib import Path

KNOWN = {
    "$id", "$schema", "$ref", "id", "title", "description", "namespace", "modelReference", "type",
    "additionalProperties", "properties", "definitions", "required", "items", "minItems", "enum",
    "pattern", "oneOf", "maximum", "minimum", "maxLength",
}  # fmt: skip
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, Decimal | int) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}


class Validator:
    """A schema with those that lie beside it."""

    def __init__(self, path: Path):
        self.folder, self.name, self.loaded = path.parent, path.name, {}

    def problems(self, content: bytes) -> list[str]:
        """List what is wrong with a document; none is judged with a keyword that is not known."""
        tree = json.loads(content, parse_float=Decimal)
        return self.check(tree, self.load(self.name), self.name, "")

    def load(self, name: str) -> dict:
        if name not in self.loaded:
            self.loaded[name] = json.loads((self.folder / name).read_text("utf-8-sig"))
        return self.loaded[name]

    def resolve(self, reference: str, name: str) -> tuple[dict, str]:
        file, _, pointer = reference.partition("#")
        name = file or name
        schema = self.load(name)
        for key in filter(None, pointer.split("/")):
            schema = schema[key]
        return schema, name

    def check(self, value, schema: dict, name: str, at: str) -> list[str]:
        assert schema.keys() <= KNOWN, schema.keys() - KNOWN
        if "$ref" in schema:  # of draft 7, what stands beside a reference does not count
            return self.check(value, *self.resolve(schema["$ref"], name), at)
        found = []
        if "type" in schema and not TYPES[schema["type"]](value):
            return [f"{at}: no {schema['type']}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: not one of the codes")
        if "oneOf" in schema:
            ways = [not self.check(value, one, name, at) for one in schema["oneOf"]]
            found += [] if sum(ways) == 1 else [f"{at}: {sum(ways)} ways, not one"]
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                found.append(f"{at}: not of its form")
            if len(value) > schema.get("maxLength", len(value)):
                found.append(f"{at}: too long")
        if isinstance(value, int) and not (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
        ):
            found.append(f"{at}: out of bounds")
        if isinstance(value, list):
            if len(value) < schema.get("minItems", 0):
                found.append(f"{at}: too few")
            for place, one in enumerate(value):
                found += self.check(one, schema.get("items", {}), name, f"{at}/{place}")
        if isinstance(value, dict):
            known = schema.get("properties", {})
            found += [
                f"{at}: lacks {key}" for key in schema.get("required", []) if key not in value
            ]
            if schema.get("additionalProperties") is False:
                found += [f"{at}: unknown {key}" for key in value if key not in known]
            for key, one in value.items():
                found += self.check(one, known.get(key, {}), name, f"{at}/{key}")
        return found
