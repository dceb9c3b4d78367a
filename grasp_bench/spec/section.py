"""Base class of every section of a spec, and the values that hashes take from a section."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen pydantic model that refuses unknown keys, NaN and infinities."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, validate_default=True
    )


def refuse_repeats(key: str, values: Sequence[Hashable]) -> None:
    """Raise ValueError for the first value that equals an earlier one, naming both places."""
    places: dict[Hashable, int] = {}
    for place, value in enumerate(values):
        first = places.setdefault(value, place)
        if first != place:
            said = f"; {value} is given twice" if isinstance(value, str | int | float) else ""
            raise ValueError(f"{key}[{place}] repeats {key}[{first}]{said}")


# Values that change no result: absent, empty, or a word that only decides when to stop.
SILENT: tuple[Any, ...] = (None, "", [], "refuse", "fail")


def asked_of(section: Section) -> dict[str, Any]:
    """Return keys and JSON values, without keys at a default that is one of `SILENT`.

    Node hashes use this, so that a later version may add such a key without changing hashes.
    """
    values = section.model_dump(mode="json", by_alias=True)
    silent = {
        info.alias or name
        for name, info in type(section).model_fields.items()
        if _plain(info.default) in SILENT
    }
    return {key: value for key, value in values.items() if not (key in silent and value in SILENT)}


def settled(section: Section, later: Collection[str]) -> dict[str, Any]:
    """Return keys and JSON values, without those of `later` that have their default.

    `later` are keys added after artefacts had been hashed without them; their default is the old behaviour.
    """
    values = section.model_dump(mode="json", by_alias=True)
    idle = {key for key in later if getattr(section, key) == type(section).model_fields[key].default}
    return {key: value for key, value in values.items() if key not in idle}


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default
