"""Derive the spec's shape from the pydantic models: known keys, choices between sections, JSON Schema."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import Tag
from pydantic.fields import FieldInfo

from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.section import Section
from grasp_bench.spec.tree import Part


@dataclass(frozen=True)
class Choice:
    """A section with variants that one key discriminates (`encoder.kind`)."""

    key: str
    variants: Mapping[str, type[Section]]
    default: str | None  # the variant of a spec that does not mention the section


@dataclass(frozen=True)
class Names:
    """A mapping with free keys: depth 1 is `compare: {key: values}`, 2 `ablations: {name: {key: value}}`."""

    depth: int


@dataclass(frozen=True)
class Items:
    """A list of sections (`hypotheses`)."""

    section: type[Section]


Shape = type[Section] | Choice | Names | Items | None  # None: a value


@cache
def fields(section: type[Section]) -> dict[str, FieldInfo]:
    """Return the section's keys as they are written in YAML."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def shape_of(info: FieldInfo) -> Shape:
    """Return the shape of a field."""
    options = _options(info.annotation)
    sections = [option for option in options if isinstance(option, type) and issubclass(option, Section)]
    if isinstance(info.discriminator, str):
        key = info.discriminator
        variants = {tag: each for each in sections for tag in _tags(each, key)}
        return Choice(key, variants, getattr(info.default, key, None))
    if sections:
        return sections[0]
    lists = [option for option in options if typing.get_origin(option) is tuple]
    item = typing.get_args(lists[0])[0] if lists else None
    if isinstance(item, type) and issubclass(item, Section):
        return Items(item)
    mappings = [option for option in options if typing.get_origin(option) is dict]
    if mappings:
        return Names(2 if typing.get_origin(typing.get_args(mappings[0])[1]) is dict else 1)
    return None


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the single type, without their annotations."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    options = typing.get_args(annotation) if union else (annotation,)
    return tuple(_bare(option) for option in options)


def _bare(annotation: Any) -> Any:
    return annotation.__origin__ if typing.get_origin(annotation) is typing.Annotated else annotation


def _marks(info: FieldInfo) -> frozenset[str]:
    """Return pydantic's tags for the forms of a value (`seeds` is a list or a mapping)."""
    options = typing.get_args(info.annotation)
    marks = (mark for option in options for mark in getattr(option, "__metadata__", ()))
    return frozenset(mark.tag for mark in marks if isinstance(mark, Tag))


def _tags(section: type[Section], key: str) -> tuple[str, ...]:
    return typing.get_args(section.model_fields[key].annotation)


def section_at(path: Sequence[Part], values: Mapping[str, Any]) -> Shape:
    """Return the shape at a path of keys, None for values and unknown keys; `values` decide variants."""
    shape: Shape = Experiment
    here: Any = values
    for part in path:
        if isinstance(shape, Items) and isinstance(part, int):
            shape, here = shape.section, None
            continue
        section = variant(shape, here)
        if section is None or not isinstance(part, str) or part not in fields(section):
            return None
        shape = shape_of(fields(section)[part])
        here = here.get(part) if isinstance(here, Mapping) else None
    return shape


def variant(shape: Shape, values: Any) -> type[Section] | None:
    """Return the section of a shape, given its values; None if it is no section or its variant is unknown."""
    if isinstance(shape, Choice):
        tag = values.get(shape.key) if isinstance(values, Mapping) else shape.default
        return shape.variants.get(tag) if isinstance(tag, str) else None
    return shape if isinstance(shape, type) else None


def without_tags(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Turn a pydantic error location into a path in YAML by leaving out tags of variants and forms."""
    shape: Shape = Experiment
    marks: frozenset[str] = frozenset()
    path: list[str | int] = []
    for part in location:
        if part in marks:
            marks = frozenset()
            continue
        if isinstance(shape, Choice) and part in shape.variants:
            shape = shape.variants[str(part)]
            continue
        path.append(part)
        if len(path) == len(location):  # nothing below it
            break
        known = fields(shape) if isinstance(shape, type) else {}
        info = known.get(part) if isinstance(part, str) else None
        shape, marks = (shape_of(info), _marks(info)) if info else (None, frozenset())
    return tuple(path)


@cache
def all_keys() -> tuple[str, ...]:
    """Return every dotted key of a spec, all variants together."""
    return tuple(dict.fromkeys(_keys(Experiment, ())))


def _keys(shape: Shape, path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield ".".join(path)
    sections = (
        shape.variants.values() if isinstance(shape, Choice) else [shape] if isinstance(shape, type) else []
    )
    for section in sections:
        for name, info in fields(section).items():
            yield from _keys(shape_of(info), (*path, name))


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a spec file, `include` among its keys.

    A file with `include` has no required keys, because its includes may give them.
    """
    schema = Experiment.model_json_schema(by_alias=True, mode="validation")
    properties = {
        "include": {
            "description": "Files of the same folder whose values this file overrides.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **schema.pop("properties"),
    }
    required = schema.pop("required", [])
    return {
        "$schema": DIALECT,
        **schema,
        "title": "grasp_bench spec",
        "properties": properties,
        "anyOf": [{"required": required}, {"required": ["include"]}],
    }
