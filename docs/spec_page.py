"""Write docs/spec.md from the spec's JSON Schema: `python docs/spec_page.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from grasp_bench.spec.shape import json_schema

PAGE = Path(__file__).with_name("spec.md")
Schema = dict[str, Any]
DISCRIMINATORS = ("provider", "kind")  # keys whose value chooses between sections


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the whole page, as it should be in docs/spec.md."""
    schema = json_schema()
    blocks = [PAGE.with_name("spec_intro.md").read_text(encoding="utf-8").rstrip(), "## Top level"]
    blocks.append(_table(schema, required=("name", "dataset")))
    seen: dict[str, str] = {}
    for key, value in schema["properties"].items():
        for name in _sections(value):
            blocks.extend(_section(key, name, schema["$defs"], seen))
    return "\n\n".join(blocks) + "\n"


def _section(path: str, name: str, sections: Schema, seen: dict[str, str]) -> Iterator[str]:
    """Yield heading, description and table of a section, then of the sections in it; each table once."""
    section = sections[name]
    choices = (section["properties"].get(key, {}).get("const") for key in DISCRIMINATORS)
    choice = next(filter(None, choices), None)
    yield f"## `{path}`" + (f" with `{choice}`" if choice else "")
    if name in seen:
        yield f"As `{seen[name]}` with `{choice}`."
        return
    seen[name] = path
    yield _line(section.get("description", ""))
    if table := _table(section, section.get("required", ())):
        yield table
    for key, value in section["properties"].items():
        for inner in _sections(value):
            yield from _section(f"{path}.{key}", inner, sections, seen)


def _table(section: Schema, required: Sequence[str]) -> str:
    """Return the table of keys that hold no section; empty if there are none."""
    rows = [
        f"| `{key}` | {_type(value)} | {_default(value, key in required)} "
        f"| {_line(value.get('description', ''))} |"
        for key, value in section["properties"].items()
        if not _sections(value) or _is_list(value)
    ]
    if not rows:
        return ""
    return "\n".join(["| key | values | default | |", "| :-- | :-- | :-- | :-- |", *rows])


def _is_list(value: Schema) -> bool:
    return any("items" in option for option in [value, *value.get("oneOf", [])])


def _sections(value: Schema) -> list[str]:
    """Return the names of the sections that a key may hold."""
    options = [value, value.get("items", {}), *value.get("oneOf", []), *value.get("anyOf", [])]
    return [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]


def _type(value: Schema) -> str:
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "$ref" in value:
        return "section below"
    if options := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(_type(option) for option in options)
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    words |= {"null": "nothing", "array": "list", "object": "keys and values"}
    return words.get(value.get("type", ""), "any") + _bounds(value)


def _bounds(value: Schema) -> str:
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{mark} {value[key]:,}" for key, mark in marks.items() if key in value]
    return f" {', '.join(bounds)}" if bounds else ""


def _default(value: Schema, required: bool) -> str:
    if required:
        return "required"
    default = value.get("default")
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
