"""Components of other packages: find their settings, and the version of their source.

A plugin is named by "module:Class", or by an entry point whose value is that. The class is an implementation,
whose attribute `Settings` declares its keys (without one it has those of its kind), or the settings.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from grasp_bench.core.errors import GraspBenchError, PluginError, UnknownNameError
from grasp_bench.core.words import did_you_mean

PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_path(name: object) -> bool:
    """Return whether a name is "module:Class"."""
    return isinstance(name, str) and PATH.fullmatch(name) is not None


def settings_of(target: str, base: type, kind: str, tag: tuple[str, str] | None = None) -> type:
    """Import a plugin and return its settings class, a subclass of `base`.

    `tag` is the key, and its only value, by which a spec chooses these settings: ("kind", "module:Class").

    Raises UnknownNameError, saying what is missing, or file and line of what fails, when it cannot be
    imported or does not declare settings of its kind.
    """
    found = _imported(target, kind)
    if isinstance(found, type) and issubclass(found, base):
        builds = getattr(found, "implementation", None)
        if builds is None:
            raise UnknownNameError(
                f"{kind} '{target}': the settings name no implementation",
                hint='set implementation = "module:Class" in them, or name the class that they build',
            )
        return found if tag is None else _derived(found, tag, {"implementation": builds})
    if not isinstance(found, type):
        raise UnknownNameError(f"{kind} '{target}' is no class", hint="name a class")
    settings = getattr(found, "Settings", None) or base
    if not (isinstance(settings, type) and issubclass(settings, base)):
        raise UnknownNameError(
            f"{kind} '{target}': its Settings are no {base.__name__}",
            hint=f"derive them from {base.__module__}.{base.__name__}",
        )
    said = found.__doc__ if settings is base else settings.__doc__
    # A class of its own: two implementations may inherit one and the same `Settings`.
    own = {"implementation": target, "__doc__": said, "__module__": found.__module__}
    made = type(f"{found.__name__}Settings", (settings,), own)
    return made if tag is None else _derived(made, tag, own)


def _derived(settings: Any, tag: tuple[str, str], attributes: Mapping[str, Any]) -> type:
    """Return a subclass whose field `tag[0]` takes the value `tag[1]` alone."""
    from pydantic import create_model

    key, name = tag
    field: Any = (Literal[name], name)
    made = create_model(settings.__name__, __base__=settings, **{key: field})
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


@contextmanager
def blamed(kind: str, name: str) -> Iterator[None]:
    """Turn whatever a plugin raises into a PluginError with the file and line where it failed."""
    try:
        yield
    except GraspBenchError:
        raise
    except Exception as error:  # whatever the plugin raises
        raise PluginError(f"{kind} '{name}': {_where(error)}", hint="correct it there") from error


def _where(error: Exception) -> str:
    """Say what was raised and where: the innermost line outside of installed libraries, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    frame = (own or frames)[-1]
    return f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"


def _imported(target: str, kind: str) -> Any:
    name, _, attribute = target.partition(":")
    _see_working_directory(name.partition(".")[0])
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(target, kind, error) from None
        raise UnknownNameError(
            f"{kind} '{target}': no module '{error.name}'",
            hint="install its package, or run where it can be imported",
        ) from None
    except Exception as error:  # whatever the plugin raises
        raise _failed(target, kind, error) from None
    if not hasattr(module, attribute):
        near = did_you_mean(attribute, dir(module))
        raise UnknownNameError(
            f"{kind} '{target}': {module.__file__} has no '{attribute}'{near}",
            hint="name a class of that module",
        )
    return getattr(module, attribute)


def _see_working_directory(top: str) -> None:
    """Let a module or package in the working directory be imported, as in `python -c`."""
    here = Path.cwd()
    if ((here / f"{top}.py").is_file() or (here / top).is_dir()) and str(here) not in sys.path:
        sys.path.append(str(here))


def _failed(target: str, kind: str, error: Exception) -> UnknownNameError:
    return UnknownNameError(f"{kind} '{target}' cannot be imported: {_where(error)}", hint="correct it there")


def source_version(target: str, within: tuple[str, ...] = ()) -> str:
    """Return a hash of the source of a module and of what it imports from its own package.

    Of that package, `within` are the only modules and packages that count; by default all.
    """
    found = _sources(target, within)
    lines = [f"{name} {sha256(found[name]).hexdigest()}" for name in sorted(found)]
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def forget(target: str) -> None:
    """Let a plugin's module, and what it imports from its own package, be imported anew."""
    for name in _sources(target):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def _sources(target: str, within: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return the source of each module that counts, by its name."""
    first = target.partition(":")[0]
    parts = within or (first.partition(".")[0],)
    waiting, seen = [first], dict[str, bytes]()
    while waiting:
        name = waiting.pop()
        source = None if name in seen else _source(name)
        if source is None:
            continue
        seen[name] = source
        waiting += [
            each
            for each in _imports(name, source)
            if any(each == part or each.startswith(f"{part}.") for part in parts)
        ]
    return seen


def _source(name: str) -> bytes | None:
    """Return the source of a module, found without importing anything; None if there is no such file."""
    file = _file(name)
    return None if file is None else file.read_bytes()


def _file(name: str) -> Path | None:
    top, *inner = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not inner:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    folders = list(spec.submodule_search_locations or [])  # a package without __init__.py has no origin
    if not folders:
        return None
    place = Path(folders[0]).joinpath(*inner)
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _imports(name: str, source: bytes) -> list[str]:
    """Return the modules that a module may import, by its source."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                file = _file(name)
                inside = name if file and file.name == "__init__.py" else name.rpartition(".")[0]
                origin = importlib.util.resolve_name("." * node.level + origin, inside)
            found += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return found
