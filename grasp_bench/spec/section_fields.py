"""Give a section of a spec the names and keys of plugins after its class was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from pydantic.fields import FieldInfo

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.registry import Components
from grasp_bench.spec.section import Section

Fields = dict[str, tuple[Any, Any]]  # annotation and field by attribute
_FIRST: dict[type[Section], dict[str, FieldInfo]] = {}  # the fields of each section before any plugin


def own_fields(registries: Iterable[Components[Any]]) -> Fields:
    """Return annotation and field of each key that a component of these kinds declares, plugins included.

    UnknownNameError where two components declare one key differently.
    """
    fields: Fields = {}
    for registry in registries:
        for component in registry:
            for name, field in registry.get(component).own_fields().items():
                if repr(fields.setdefault(name, field)) != repr(field):
                    raise UnknownNameError(
                        f"{registry.kind} '{component}' declares its key '{name}' unlike another component",
                        hint="give the key another name",
                    )
    return fields


def replace_fields(section: type[Section], fields: Mapping[str, tuple[Any, Any]]) -> None:
    """Replace and add fields; those that an earlier call added are removed.

    The class stays the same, since others hold it; what pydantic has built of it is built again.
    """
    now = section.__pydantic_fields__
    first = _FIRST.setdefault(section, dict(now))
    for name in [name for name in now if name not in first]:
        del now[name]
    for name, info in first.items():
        now[name] = info
    for name, (annotation, info) in fields.items():
        now[name] = copy(info)
        now[name].annotation = annotation
    section.model_rebuild(force=True)


def replace_types(section: type[Section], annotations: Mapping[str, Any]) -> None:
    """Give fields of a section other annotations."""
    replace_fields(section, {name: (each, _field(section, name)) for name, each in annotations.items()})


def _field(section: type[Section], name: str) -> FieldInfo:
    return _FIRST.get(section, section.__pydantic_fields__)[name]
