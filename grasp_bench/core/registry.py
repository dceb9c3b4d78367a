"""Registries: names to lazily imported classes, so that listing names imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.words import did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps a name to "module:attribute", imported at the first `get`.

    Example:
        >>> BACKBONES = Registry[type]("backbone", {"sasrec": "grasp_bench.models.backbones.sasrec:SASRec"})
        >>> BACKBONES.names()
        ['sasrec']
    """

    def __init__(self, kind: str, targets: dict[str, str]) -> None:
        self.kind = kind
        self._targets = dict(targets)

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        return sorted(self._targets)

    def __iter__(self) -> Iterator[str]:
        """Iterate over names in the order of registration."""
        return iter(self._targets)

    @property
    def default(self) -> str:
        """The first name."""
        return next(iter(self._targets))

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def add(self, name: str, target: str) -> None:
        """Register "module:attribute" under a new name (third-party plug-ins, tests)."""
        if name in self._targets:
            raise ValueError(f"{self.kind} '{name}' is already registered as {self._targets[name]}")
        self._targets[name] = target

    def get(self, name: str) -> T:
        """Import and return the entry; UnknownNameError suggests the nearest name."""
        if name not in self._targets:
            raise UnknownNameError(
                f"unknown {self.kind} '{name}'{did_you_mean(name, self._targets)}",
                hint=f"choose one of: {', '.join(self.names())}",
            )
        return cast(T, imported(self._targets[name]))


class HasImplementation(Protocol):
    """The settings of a component, with the "module:attribute" of the class that they build."""

    implementation: ClassVar[str]


S = TypeVar("S", bound=HasImplementation)


class Components(Registry[type[S]]):
    """Maps a name to a component's settings class, and through it to its implementation."""

    def implementation(self, name: str) -> Any:
        """Import and return the class that the settings of `name` build."""
        return imported(self.get(name).implementation)


def imported(target: str) -> Any:
    """Import and return the object of "module:attribute"."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
