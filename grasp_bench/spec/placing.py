"""Errors of a plan at the places of its spec: compiling knows keys and files, and no lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grasp_bench.core.errors import DataError, MissingFileError, SpecError
from grasp_bench.core.files import expanded
from grasp_bench.spec.paths import texts_of, wanted_at
from grasp_bench.spec.problems import dotted
from grasp_bench.spec.tree import Node, Part, Place

ENDS_OF_KEYS = (":", " ", ".", "[")


@contextmanager
def at_its_place(tree: Node) -> Iterator[None]:
    """Say of an error about a key of the spec, or about a file that it names, where that is written."""
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
    """The line with the place of the longest key that it begins with, the file's if it names none."""
    begun = [found for found in places if line.startswith(tuple(found[0] + end for end in ENDS_OF_KEYS))]
    _, place = max(begun, key=lambda found: len(found[0]), default=("", tree.place))
    return f"{place} {line}"


def _keys(node: Node, path: tuple[Part, ...], place: Place) -> Iterator[tuple[tuple[Part, ...], Place]]:
    """The paths of a tree, and where each key or item is written."""
    if path:
        yield path, place
    if isinstance(node.value, dict):
        for name, entry in node.value.items():
            yield from _keys(entry.node, (*path, name), entry.key_place)
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from _keys(item, (*path, index), item.place)
