"""Reads the fields of our kinds from the schemas of the CRDs, as `kubectl explain` does."""

from collections.abc import Iterator
from typing import Any

Row = tuple[str, ...]


def fields(crd: dict[str, Any]) -> Iterator[Row]:
    """Return path, type, default and description of each field in spec and status."""
    [version] = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        yield from _fields(schema[part], part, required=False)


def _fields(schema: dict[str, Any], path: str, *, required: bool) -> Iterator[Row]:
    default = "required" if required else _default(schema)
    yield f"`{path}`", _type(schema), default, schema.get("description", "")
    inner = schema.get("items", schema)
    path = f"{path}[]" if "items" in schema else path
    for name, field in inner.get("properties", {}).items():
        yield from _fields(field, f"{path}.{name}", required=name in inner.get("required", []))


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list, up to {schema['maxItems']}" if "maxItems" in schema else "list"
    return str(schema.get("format", schema["type"]))


def _default(schema: dict[str, Any]) -> str:
    return f"`{schema['default']}`" if "default" in schema else ""
