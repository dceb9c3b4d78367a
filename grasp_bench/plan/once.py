"""What many cells of a spec share, made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Made = TypeVar("Made")


class Once:
    """Remembers what was made of some objects.

    Objects are told apart by identity: to compare two sections costs more than most of what is made of them,
    and sections that are equal in Python (1 and 1.0) may have different hashes.
    """

    def __init__(self) -> None:
        # With the objects: an id is that of one object only as long as it is there.
        self._made: dict[Hashable, tuple[tuple[object, ...], Any]] = {}

    def __call__(
        self, what: str, objects: tuple[object, ...], values: tuple[Hashable, ...], make: Callable[[], Made]
    ) -> Made:
        """Return what `make` gave when it was first asked for with these objects and equal values."""
        key = (what, *map(id, objects), *values)
        if key not in self._made:
            self._made[key] = (objects, make())
        made: Made = self._made[key][1]
        return made
