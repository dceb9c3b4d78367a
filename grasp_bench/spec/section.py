"""The base of every section of a spec."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen; unknown keys, NaN and infinities are refused."""

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


# Values that ask for nothing: absent, empty, or a word that says when to stop and changes no result.
SILENT: tuple[Any, ...] = (None, "", [], "refuse", "fail")


def asked_of(section: Section) -> dict[str, Any]:
    """Keys and JSON values, without those whose default asks for nothing and that are left at it.

    Nodes are named by this, so that a later version may add such a key without renaming artefacts.
    """
    values = section.model_dump(mode="json", by_alias=True)
    silent = {
        info.alias or name
        for name, info in type(section).model_fields.items()
        if _plain(info.default) in SILENT
    }
    return {key: value for key, value in values.items() if not (key in silent and value in SILENT)}


def settled(section: Section, later: Collection[str]) -> dict[str, Any]:
    """Keys and JSON values, without those of `later` that are left at their default.

    For keys that came when artefacts had been named without them: their default is what was done then.
    """
    values = section.model_dump(mode="json", by_alias=True)
    idle = {key for key in later if getattr(section, key) == type(section).model_fields[key].default}
    return {key: value for key, value in values.items() if key not in idle}


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default
