"""Registries: names to lazily imported classes, so that listing names imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from grasp_bench.core import plugins
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
    """Maps a name to a component's settings class, and through it to its implementation.

    Args:
        base: "module:Class" that settings of this kind derive from; plugins are only allowed with it.
        group: entry points of other packages, a name each. They are imported only where a spec names them, so
            that a broken package does not stop what does not use it.
        tag: key of a spec that chooses among sections of this kind; settings of a plugin get it as a field.
    """

    def __init__(
        self, kind: str, targets: dict[str, str], base: str = "", group: str = "", tag: str = ""
    ) -> None:
        super().__init__(kind, targets)
        self._base, self._group, self._tag = base, group, tag
        self._plugins: dict[str, type[S]] = {}
        self._sources: dict[str, str] = {}  # versions of the source that was imported

    def offered(self) -> dict[str, str]:
        """Return name and target of what installed packages offer; a name of our own stays ours."""
        from importlib.metadata import entry_points

        found = entry_points(group=self._group) if self._group else ()
        ours = self._targets.keys() - self._plugins.keys()
        return {each.name: each.value for each in found if each.name not in ours}

    def plug_in(self, name: str) -> bool:
        """Register a plugin, "module:Class" or an offered name; return whether it is new.

        A name that is neither is left alone. UnknownNameError says why a plugin cannot be used.
        """
        if name in self or not self._base:
            return False
        target = name if plugins.is_path(name) else self.offered().get(name)
        if target is None:
            return False
        tag = (self._tag, name) if self._tag else None
        settings = plugins.settings_of(target, imported(self._base), self.kind, tag)
        self._plugins[name] = cast("type[S]", settings)
        self._sources[name] = plugins.source_version(target)
        self.add(name, target)
        return True

    def renew(self, name: str) -> bool:
        """Import a plugin again whose source has changed since, as in a notebook; return whether it has."""
        if name not in self._plugins or plugins.source_version(self._targets[name]) == self._sources[name]:
            return False
        target = self._targets[name]
        self.unplug(name)
        plugins.forget(target)
        return self.plug_in(name)

    def unplug(self, name: str) -> None:
        """Forget a plugin."""
        del self._plugins[name], self._sources[name], self._targets[name]

    def get(self, name: str) -> type[S]:
        """Import and return the settings class; UnknownNameError suggests the nearest name."""
        self.plug_in(name)  # a worker has read no spec
        return self._plugins.get(name) or super().get(name)

    def implementation(self, name: str) -> Any:
        """Import and return the class that the settings of `name` build."""
        return imported(self.get(name).implementation)

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """Name a plugin, file and line, in whatever it raises; leave errors of our own components alone."""
        if name not in self._plugins:
            yield
            return
        with plugins.blamed(self.kind, name):
            yield

    def version(self, name: str) -> str | None:
        """Return the version of a plugin, declared or of its source; None for a component of this package."""
        settings = self.get(name)
        if name not in self._plugins:
            return None
        declared = getattr(settings, "version", None)
        return str(declared) if declared else plugins.source_version(settings.implementation)


def imported(target: str) -> Any:
    """Import and return the object of "module:attribute"."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
