"""Read finished cells from `results/<spec>/<slug>/`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grasp_bench.core import published
from grasp_bench.core.errors import DataError, IncomparableError, MissingFileError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.published import MEMBERS, read_object
from grasp_bench.report.methods import Method, method_of
from grasp_bench.report.study import Study

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.core.published import GroupMembers

CELL_FILE, METRICS_FILE, RANKS_FILE = published.CELL, published.METRICS, published.RANKS
_REQUIRED = ("slug", "dataset", "protocol_hash")
_REQUIRED_OF_MODELS = ("enhancer", "seed")  # a model of its own has no backbone
_HINT = published.hint("the cell")


@dataclass(frozen=True)
class ResultCell:
    """One finished cell: `info` is cell.json, `metrics` is metrics.json; ranks stay on disk."""

    folder: Path
    info: Mapping[str, Any]
    metrics: Mapping[str, Any]
    method: Method

    @property
    def slug(self) -> str:
        """The cell's readable name."""
        return str(self.info["slug"])

    @property
    def seed(self) -> int | None:
        """The training seed; None of what nothing has trained."""
        seed = self.info.get("seed")
        return None if seed is None else int(seed)

    @property
    def protocol_hash(self) -> str:
        """Cells with different ones never share a ranking."""
        return str(self.info["protocol_hash"])

    @property
    def trained(self) -> bool:
        """True when a model was trained for it, as for a control on shuffled embeddings too."""
        return self.method.kind == "trained" or "train" in (self.info.get("nodes") or {})

    @property
    def leaks(self) -> list[str]:
        """Sources made from held-out items, as the spec marks them; none for most cells."""
        return [str(name) for name in self.info.get("leaks") or ()]

    @property
    def substituted(self) -> list[str]:
        """Text sources that gave something else in places, with the share; none for most cells."""
        return [str(line) for line in self.info.get("substituted") or ()]

    @property
    def ties(self) -> str:
        """The declared tie policy."""
        return str(self.info.get("settings", {}).get("protocol", {}).get("ties", "mean"))


@dataclass(frozen=True)
class Collected:
    """Cells of one folder that count, and those that do not with the reason."""

    cells: tuple[ResultCell, ...]
    left_out: tuple[tuple[str, str], ...]


def cell_folders(folder: Path) -> list[Path]:
    """Folders of finished cells, sorted; MissingFileError when the results folder is not there."""
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such results folder", hint="grasp-bench run the spec first")
    return sorted(path.parent for path in folder.glob(f"*/{CELL_FILE}"))


def fingerprint(folder: Path, *extra: Any) -> str:
    """Hash of everything a board is made of, cheap enough to be taken at every look.

    Ranks enter by size alone: cell.json names the hash of the node that made them.
    """
    parts: list[Any] = list(extra)
    parts += [[path.name, path.stat().st_size] for path in sorted(folder.glob(MEMBERS.format("*")))]
    for path in [folder / "study.json", *cell_folders(folder)]:
        if path.is_dir():
            parts.append([path.name, _digest(path / CELL_FILE), _digest(path / METRICS_FILE)])
            ranks = path / RANKS_FILE
            parts.append(ranks.stat().st_size if ranks.is_file() else None)
        else:
            parts.append(_digest(path))
    return content_hash(parts)


def collect(folder: Path, study: Study) -> Collected:
    """Read all cells of a folder; leave out those that the study no longer plans or that are out of date.

    Raises DataError for a cell that is damaged or altered; nobody opens one that is no longer planned.
    """
    planned = None if study.planned is None else {cell["slug"]: cell for cell in study.planned}
    cells: list[ResultCell] = []
    left_out: list[tuple[str, str]] = []
    members: dict[str, GroupMembers | None] = {}
    for path in cell_folders(folder):
        if planned is not None and path.name not in planned:
            left_out.append((path.name, "the spec no longer asks for it"))
            continue
        cell = read_cell(path, members)
        reason = _why_left_out(cell, planned)
        if reason:
            left_out.append((cell.slug, reason))
        else:
            cells.append(cell)
    _refuse_doubles(cells)
    return Collected(tuple(cells), tuple(left_out))


def read_cell(folder: Path, members: dict[str, GroupMembers | None] | None = None) -> ResultCell:
    """Read one cell; DataError names the file and key that is damaged, altered or missing.

    `members` remembers who is in which group by protocol hash, where several cells are read.
    """
    info = read_object(folder / CELL_FILE)
    required = _REQUIRED if info.get("name") else (*_REQUIRED, *_REQUIRED_OF_MODELS)
    for key in required:
        if info.get(key) is None:
            raise DataError(f"{folder / CELL_FILE}: key '{key}' is missing", hint=_HINT)
    if info["slug"] != folder.resolve().name:
        raise DataError(f"{folder / CELL_FILE}: is the cell '{info['slug']}', not this one", hint=_HINT)
    metrics = read_object(folder / METRICS_FILE)
    if not any(protocol in metrics for protocol in ("full", "sampled")):
        raise DataError(f"{folder / METRICS_FILE}: neither 'full' nor 'sampled' metrics", hint=_HINT)
    cell = ResultCell(folder, info, metrics, method_of(info))
    _require_believable(cell, {} if members is None else members)
    return cell


def read_current(folder: Path, hashes: Mapping[str, str]) -> dict[str, ResultCell]:
    """Read the finished cells of these slugs; those made by other settings (another hash) are left out."""
    there = [slug for slug in hashes if (folder / slug / CELL_FILE).is_file()]
    found = {slug: read_cell(folder / slug) for slug in there}
    return {slug: cell for slug, cell in found.items() if cell.info.get("hash") == hashes[slug]}


def _require_believable(cell: ResultCell, members: dict[str, GroupMembers | None]) -> None:
    """The files must be those that were published; where nothing says which, ranks must give the figures."""
    files = cell.info.get("files")
    if files is not None:
        for name in published.changed_files(cell.folder, files):
            raise DataError(f"{cell.folder / name}: not the file that {CELL_FILE} belongs to", hint=_HINT)
        return
    from grasp_bench.core.published import metrics_problem
    from grasp_bench.report.group_membership import read_membership

    if cell.protocol_hash not in members:
        members[cell.protocol_hash] = read_membership(cell.folder.parent, cell.protocol_hash)
    problem = metrics_problem(cell.folder, cell.ties, members[cell.protocol_hash])
    if problem is not None:
        raise DataError(f"{cell.folder}: {problem}", hint=_HINT)


def _why_left_out(cell: ResultCell, planned: Mapping[str, Mapping[str, Any]] | None) -> str | None:
    if planned is None:
        return None
    wanted = planned[cell.slug].get("hash")
    if wanted is not None and wanted != cell.info.get("hash"):
        return "out of date: its settings or inputs have changed since"
    return None


def _refuse_doubles(cells: list[ResultCell]) -> None:
    seen: dict[tuple[str, Method, int | None], str] = {}
    for cell in cells:
        key = (cell.protocol_hash, cell.method, cell.seed)
        if key in seen:
            raise IncomparableError(
                f"{seen[key]} and {cell.slug} are the same method with the same seed",
                hint="delete the one that is out of date",
            )
        seen[key] = cell.slug


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
