"""Check the paths in a spec: their characters, and whether they lead to the expected kind of file.

A path that leads nowhere is no error, because a spec may be read on a machine without the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grasp_bench.core.errors import DataError, MissingFileError, SpecError
from grasp_bench.core.files import FILE, FOLDER, NOTHING, expanded, fault_of_name, kind_of
from grasp_bench.spec.locations import data_root
from grasp_bench.spec.problems import Problems, dotted
from grasp_bench.spec.tree import Node, Part, Place
from grasp_bench.spec.wording import describe

# Kinds of file that each key may name, by the end of its dotted key; patches and lists add a beginning.
ENDS: dict[str, tuple[str, ...]] = {
    "dataset.source": (FILE, FOLDER),
    "dataset.items": (FILE,),
    "dataset.users": (FILE,),
    "text.users.template": (FILE,),
    "text.items.template": (FILE,),
    "text.users.path": (FILE,),
    "text.items.path": (FILE,),
    "encoder.model": (FOLDER,),
    "encoder.users": (FILE, FOLDER),
    "encoder.items": (FILE, FOLDER),
    "imported.run": (FILE,),
    "published.file": (FILE,),
}
TEMPLATE_SUFFIX = ".j2"  # a template without it is a shipped one


def check_paths(tree: Node, problems: Problems) -> None:
    """Note impossible paths and paths that lead to the wrong kind of file."""
    for key, path, node in texts_of(tree):
        wanted = wanted_at(key)
        if wanted and (wrong := what_is_wrong(key, node.value, wanted)) is not None:
            problems.add(node.place, path, wrong)


def wanted_at(key: str) -> tuple[str, ...]:
    """Return the kinds of file that a dotted key may name; empty if it names no file."""
    return next((kinds for end, kinds in ENDS.items() if f".{key}".endswith(f".{end}")), ())


def what_is_wrong(key: str, name: str, wanted: tuple[str, ...]) -> str | None:
    """Return why a name is no path to one of the `wanted` kinds; None if it may be one."""
    if (fault := fault_of_name(name)) is not None:
        return f"{fault}; correct the path"
    if key.endswith(".template") and not name.endswith(TEMPLATE_SUFFIX):
        return None
    path = expanded(name)
    if key.endswith("dataset.source") and path.name == name and kind_of(data_root() / name) == FOLDER:
        return None  # a dataset by its name
    kind = kind_of(path)
    if kind in (NOTHING, *wanted):
        return None
    return f"{describe(name)} names {kind}; name {' or '.join(wanted)}"


def texts_of(tree: Node) -> Iterator[tuple[str, tuple[Part, ...], Node]]:
    """Yield dotted key, path and node of every text of a spec; dotted keys have no list indices."""
    return _texts(tree, "", ())


def _texts(node: Node, key: str, path: tuple[Part, ...]) -> Iterator[tuple[str, tuple[Part, ...], Node]]:
    if isinstance(node.value, dict):
        for name, entry in node.value.items():
            yield from _texts(entry.node, f"{key}.{name}" if key else name, (*path, name))
    elif isinstance(node.value, list):
        for place, item in enumerate(node.value):
            yield from _texts(item, key, (*path, place))
    elif isinstance(node.value, str):
        yield key, path, node


ENDS_OF_KEYS = (":", " ", ".", "[")


@contextmanager
def at_its_place(tree: Node) -> Iterator[None]:
    """Add the place in the spec to errors about its keys or about files that it names."""
    try:
        yield
    except SpecError as error:
        places = [(dotted(path), place) for path, place in _keys(tree, (), tree.place)]
        raise SpecError([_placed(line, tree, places) for line in error.problems], error.more) from None
    except (DataError, MissingFileError) as error:
        for key, _, node in texts_of(tree):
            about_key = error.message.startswith((f"{key} ", f"{key}:"))
            if about_key or (wanted_at(key) and error.message.startswith(str(expanded(node.value)))):
                error.message = f"{node.place} {error.message if about_key else f'{key}: {error.message}'}"
                break
        raise


def _placed(line: str, tree: Node, places: list[tuple[str, Place]]) -> str:
    """Prefix a line with the place of the longest key that it begins with, else with the file's."""
    begun = [found for found in places if line.startswith(tuple(found[0] + end for end in ENDS_OF_KEYS))]
    _, place = max(begun, key=lambda found: len(found[0]), default=("", tree.place))
    return f"{place} {line}"


def _keys(node: Node, path: tuple[Part, ...], place: Place) -> Iterator[tuple[tuple[Part, ...], Place]]:
    """Yield the paths of a tree and the place of each key or item."""
    if path:
        yield path, place
    if isinstance(node.value, dict):
        for name, entry in node.value.items():
            yield from _keys(entry.node, (*path, name), entry.key_place)
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from _keys(item, (*path, index), item.place)
