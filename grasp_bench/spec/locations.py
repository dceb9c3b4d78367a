"""Resolve the paths in a spec: files of a dataset by its name, and what is wrong with a given path.

A path that leads nowhere is no error, because a spec may be read on a machine without the data.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from grasp_bench.components import DATASETS
from grasp_bench.core.errors import DataError, MissingFileError, SpecError
from grasp_bench.core.files import FILE, FOLDER, NOTHING, expanded, fault_of_name, kind_of, require_file
from grasp_bench.core.tables.layout import ATOMIC as ATOMIC_SUFFIXES
from grasp_bench.core.tables.layout import KINDS
from grasp_bench.core.tables.text_files import PACKINGS
from grasp_bench.core.words import did_you_mean
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.problems import Problems, describe, dotted
from grasp_bench.spec.public_sets import PUBLIC_SETS, how_to_make, names
from grasp_bench.spec.tree import Node, Part, Place, walk

ROOT_VARIABLE = "GRASP_BENCH_DATA"
DEFAULT_ROOT = "data"  # in the working directory
ATOMIC = dict(zip(("interactions", "items", "users"), ATOMIC_SUFFIXES, strict=True))
SUFFIXES = tuple(kind + packing for kind in KINDS for packing in ("", *PACKINGS))
WHOLE = ("interactions",)
# Names of the files of a published split, by its parts.
PARTS = {"interactions": ("train",), "valid": ("valid", "validation", "val", "dev"), "test": ("test",)}

HOW_TO_GET_DATA = """\
give one of
      demo                      a synthetic dataset, generated in memory
      {public}
                                public ones that `grasp-bench data prepare` makes
      <name>                    a folder of that name under {root}
      path/to/folder            holding interactions.csv (or .parquet, .jsonl; also .gz) with the columns
                                user_id, item_id and timestamp or position, and, for text, items.csv
                                with item_id, title and whatever else is known
      path/to/recbole/ml-100k   holding RecBole's atomic files, ml-100k.inter and .item
      path/to/file.csv          the interactions alone; name the items file in dataset.items
                                (also .tsv, .txt, .dat, .inter, and one of them in a .zip)
      my_package.module:Class   code that makes the data (docs/plugins.md)"""


@dataclass(frozen=True)
class DatasetFiles:
    """The files of a dataset. `name` is short enough for slugs; one that is `generated` by code has no files.

    Of a published split, `interactions` is the training part.
    """

    name: str
    interactions: Path | None
    items: Path | None
    generated: bool
    users: Path | None = None
    valid: Path | None = None
    test: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """Return the files by their kinds."""
        found = {kind: getattr(self, kind) for kind in ("interactions", "items", "users", "valid", "test")}
        return {kind: path for kind, path in found.items() if path is not None}


def locate(dataset: Dataset) -> DatasetFiles:
    """Find a dataset's files without reading them.

    A bare word is looked up in the data folder first and in the working directory second; anything
    with a slash or a file suffix is a path.

    Raises MissingFileError when no file is found, DataError when a folder holds two candidates.
    """
    located = _whole(dataset)
    sample = None if dataset.sample_users is None else f"sample of {dataset.sample_users} users"
    notes = ", ".join(filter(None, (sample, dataset.repair.order_note())))
    return replace(located, name=f"{located.name} ({notes})") if notes else located


def _whole(dataset: Dataset) -> DatasetFiles:
    source = dataset.source
    if source in DATASETS:
        for key in ("items", "users"):
            if getattr(dataset, key) is not None:
                raise DataError(
                    f"dataset.{key}: '{source}' is generated, its {key} too", hint=f"remove dataset.{key}"
                )
        return DatasetFiles(source, None, None, True)
    path = _resolve(source)
    if dataset.protocol.split == "given":
        parts = _parts(path, source)
    elif kind_of(path) == FOLDER:
        parts = {"interactions": _one_of(path, WHOLE, source)}
    else:
        parts = {"interactions": require_file(path, hint=_hint(source))}
        _check_suffix(path, dataset)
    beside = parts["interactions"]
    return DatasetFiles(
        _short_name(path),
        items=_items(dataset, beside),
        generated=False,
        users=_users(dataset, beside),
        **parts,
    )


def _parts(folder: Path, source: str) -> dict[str, Path]:
    """Find the files of a published split."""
    if kind_of(folder) != FOLDER:
        raise DataError(
            f"{folder}: split 'given' reads a folder with the files train, valid and test",
            hint="name the folder in dataset.source, or set dataset.protocol.split: leave_one_out",
        )
    return {part: _one_of(folder, stems, source) for part, stems in PARTS.items()}


def _one_of(folder: Path, stems: tuple[str, ...], source: str) -> Path:
    """Find the only file with one of the names, or the only atomic file: `name.inter`, `name.train.inter`."""
    found = [path for stem in stems if (path := _only(folder, stem)) is not None]
    if not found:
        inner = "" if stems == WHOLE else rf"\.({'|'.join(stems)})"
        atomic = re.compile(rf"[^.]+{inner}{re.escape(ATOMIC['interactions'])}(\.gz|\.zip)?", re.IGNORECASE)
        found = [path for path in _files_in(folder) if atomic.fullmatch(path.name)]
        named_alike = [path for path in found if path.name.split(".")[0] == folder.resolve().name]
        found = named_alike or found
    if len(found) > 1:
        raise DataError(
            f"{folder}: both {found[0].name} and {found[1].name}",
            hint="keep one, or name the file in dataset.source",
        )
    if not found:
        raise MissingFileError(f"{folder}: no {stems[0]} file in this folder", hint=_hint(source))
    return found[0]


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if kind_of(path) == FILE)


def _resolve(source: str) -> Path:
    path = expanded(source)
    is_bare_word = path.name == source and not source.lower().endswith(SUFFIXES)
    root = _root()
    if is_bare_word and root is not None and kind_of(root / source) == FOLDER:
        return root / source
    if kind_of(path) != NOTHING:
        return path
    hint = ""
    if is_bare_word:
        known = [entry.name for entry in root.iterdir() if entry.is_dir()] if root else []
        hint = did_you_mean(source, [*known, *DATASETS, *DATASETS.offered()])
    raise MissingFileError(f"dataset.source '{source}': not found{hint}", hint=_hint(source))


def data_root() -> Path:
    """Return the data folder, which may not exist yet: $GRASP_BENCH_DATA, or `data` here."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()


def root_in_words() -> str:
    """Return the data folder and where it is set, for messages."""
    value = os.environ.get(ROOT_VARIABLE)
    return f"{value} (${ROOT_VARIABLE})" if value else f"./{DEFAULT_ROOT} (${ROOT_VARIABLE} is not set)"


def _root() -> Path | None:
    root = data_root()
    return root if root.is_dir() else None


def _hint(source: str) -> str:
    if source in PUBLIC_SETS:
        return how_to_make(source, root_in_words())
    return HOW_TO_GET_DATA.format(root=root_in_words(), public=_lines_of_names())


def _lines_of_names() -> str:
    return textwrap.fill(", ".join(names()), 100, subsequent_indent=" " * 6, break_on_hyphens=False)


def _only(folder: Path, stem: str, suffixes: tuple[str, ...] = SUFFIXES) -> Path | None:
    names = {(stem + suffix).lower() for suffix in suffixes}
    found = [path for path in _files_in(folder) if path.name.lower() in names]
    if len(found) > 1:
        raise DataError(
            f"{folder}: both {found[0].name} and {found[1].name}",
            hint="keep one, or name the file in dataset.source or dataset.items",
        )
    return found[0] if found else None


def _items(dataset: Dataset, interactions: Path) -> Path | None:
    if dataset.items is None:
        beside = _only(interactions.parent, "items") or _atomic_beside(interactions, "items")
        return None if beside == interactions else beside
    path = expanded(dataset.items)
    if kind_of(path) == NOTHING:
        raise MissingFileError(
            f"dataset.items '{dataset.items}': no such file",
            hint="correct the path, or leave dataset.items out when there is no text",
        )
    require_file(path, hint="correct dataset.items")
    _check_suffix(path, dataset)
    return path


def _users(dataset: Dataset, interactions: Path) -> Path | None:
    """Find the users file: a path, or a name in the interactions' folder; None if the spec names none."""
    if dataset.users is None:
        return None
    path = expanded(dataset.users)
    beside = interactions.parent / path
    found = next((each for each in (path, beside) if kind_of(each) == FILE), None)
    found = found or _only(interactions.parent, dataset.users) or _named_atomic(dataset.users, interactions)
    if found is None:
        raise MissingFileError(
            f"dataset.users '{dataset.users}': no such file, neither here nor in {interactions.parent}",
            hint="correct the path, or leave dataset.users out",
        )
    _check_suffix(found, dataset)
    return found


def _atomic_beside(interactions: Path, kind: str) -> Path | None:
    """Find `name.item` or `name.user` beside `name.inter` or `name.train.inter`."""
    if ATOMIC["interactions"] not in interactions.name:
        return None
    return _only(interactions.parent, interactions.name.split(".")[0], (ATOMIC[kind],))


def _named_atomic(users: str, interactions: Path) -> Path | None:
    return _atomic_beside(interactions, "users") if users == "users" else None


def _check_suffix(path: Path, dataset: Dataset) -> None:
    if not path.name.lower().endswith((*SUFFIXES, ".zip")) and dataset.format.separator is None:
        kinds = ", ".join(KINDS)
        raise DataError(
            f"{path}: cannot tell the format from the name",
            hint=f"set dataset.format.separator, or use one of {kinds} (also .gz, .zip)",
        )


def _short_name(path: Path) -> str:
    absolute = path.absolute()
    if absolute.is_dir():
        return absolute.resolve().name
    stem = absolute.name.split(".")[0]
    return absolute.resolve().parent.name if stem == "interactions" else stem


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
    for path, _, node in walk(tree):
        if isinstance(node.value, str):
            yield ".".join(part for part in path if isinstance(part, str)), path, node


ENDS_OF_KEYS = (":", " ", ".", "[")


@contextmanager
def at_its_place(tree: Node) -> Iterator[None]:
    """Add the place in the spec to errors about its keys or about files that it names."""
    try:
        yield
    except SpecError as error:
        places = [(dotted(path), place) for path, place, _ in walk(tree) if path]
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
