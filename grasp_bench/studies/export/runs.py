"""Export runs and qrels in TREC's formats, so that other tools can compute every figure again.

A cell's ranks are stored as counts, not as lists. Its scores are computed again by the stage that made the
ranks, from the same artefacts, and the new counts are compared with the stored ones, user by user.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, Protocol, runtime_checkable

import numpy as np
import polars as pl

from grasp_bench.core import atomic, ranks
from grasp_bench.core import ranks as measures
from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.core.files import portable_name
from grasp_bench.core.store import Artefact, Store
from grasp_bench.data.artefacts import read_item_ids, read_test, read_user_ids
from grasp_bench.evaluation.listing import Ints, Listed, full_lists, sampled_lists, tie_order
from grasp_bench.evaluation.ranker import Ranker, Scorer, ranks_all
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import STAGES, RunContext

Ranking = Literal["sampled", "full"]
GZIP_LEVEL = 6
TALLIED = (
    "lines", "tied_users", "users_cut_in_a_tie", "users_unlike_stored", "users_tied_in_single_precision",
)  # fmt: skip
SINGLE_DIGITS, DOUBLE_DIGITS = 9, 17  # enough to read back the same float


@runtime_checkable
class Scoring(Protocol):
    """A stage whose ranks come from scores that can be computed again."""

    def scoring(
        self, node: Node, inputs: Mapping[str, Artefact], context: RunContext
    ) -> tuple[Ranker, Scorer]:
        """Return what ranks the test targets, and what scores them."""
        ...


@dataclass(frozen=True)
class RunOptions:
    """What to export of each cell: the ranking, the items of each user (None: all), packed or not."""

    ranking: Ranking
    depth: int | None = None
    packed: bool = False


@dataclass(frozen=True)
class Exported:
    """The files of one cell, and the content of `<run>.json`."""

    run: Path
    qrels: Path
    facts: Mapping[str, Any]


def export_cell(cell: Cell, store: Store, folder: Path, options: RunOptions, context: RunContext) -> Exported:
    """Write a cell's run, its qrels and a JSON file of facts about them into `folder`.

    Raises StoreError where the cell or its model is not in the store, DataError for a cell without scores (an
    imported run) or without the requested ranking, and for a damaged split.
    """
    node, metrics = cell.nodes["rank"], _finished(cell.nodes["metrics"], store, cell)
    stage = STAGES.get(node.stage)()
    if not isinstance(stage, Scoring):
        raise DataError(
            f"{cell.slug}: its scores were never ours", hint="take the file that it was imported from"
        )
    figures = json.loads(metrics.file("metrics.json").read_text())
    if options.ranking not in figures:
        raise DataError(
            f"{cell.slug}: no {options.ranking} ranking was made",
            hint="set dataset.protocol.also_full_ranking",
        )
    split = _finished(cell.nodes["split"], store, cell).path
    user_ids, item_ids = (
        [ranks.quoted(i) for i in ids] for ids in (read_user_ids(split), read_item_ids(split))
    )
    folder.mkdir(parents=True, exist_ok=True)
    qrels = _write_qrels(folder, cell, split, user_ids, item_ids)
    inputs = {role: _finished(each, store, cell) for role, each in node.inputs.items()}
    ranker, scorer = stage.scoring(node, inputs, context)
    users = ranker.queries.users_Q.tolist()
    path = folder / f"{cell.slug}.{options.ranking}.run{'.gz' if options.packed else ''}"
    stored = _stored_counts(metrics, options.ranking)
    counts_of_lists = _ListCounts(stored)
    with _text_file(path, options.packed) as stream:
        for listed in _lists(ranker, scorer, tie_order(item_ids), node, options, stored, "full" in figures):
            counts_of_lists.count(listed)
            items = [item_ids[item] for item in listed.items.tolist()]
            stream.write(ranks.run_lines(user_ids[users[listed.query]], items, _texts(listed), cell.slug))
    facts = _facts(cell, options, path, qrels, counts_of_lists, figures[options.ranking]["overall"])
    atomic.write_json(folder / f"{cell.slug}.{options.ranking}.json", facts)
    return Exported(path, qrels, facts)


class _ListCounts:
    """Counts over the written lists: ties, cuts, users unlike the stored ranks."""

    def __init__(self, stored: tuple[Ints, Ints]) -> None:
        self.stored = list(zip(*(counts.tolist() for counts in stored), strict=True))
        self.found: Counter[str] = Counter(dict.fromkeys(TALLIED, 0))
        self.counts: list[tuple[int, int]] = []

    def count(self, listed: Listed) -> None:
        """Take one query's list into account."""
        here = (listed.better, listed.tied)
        self.counts.append(here)
        self.found["lines"] += len(listed.items)
        self.found["tied_users"] += listed.tied > 0
        self.found["users_cut_in_a_tie"] += listed.cut_in_tie
        self.found["users_unlike_stored"] += here != self.stored[listed.query]
        self.found["users_tied_in_single_precision"] += _coarser(listed.scores)


def _coarser(scores: np.ndarray) -> bool:
    """True when more scores are equal to a tool that reads single precision, as trec_eval does."""
    if scores.dtype == np.float32:
        return False
    return len(np.unique(scores.astype(np.float32))) < len(np.unique(scores))


def _lists(
    ranker: Ranker,
    scorer: Scorer,
    places: np.ndarray,
    node: Node,
    options: RunOptions,
    stored: tuple[Ints, Ints],
    from_catalogue: bool,
) -> Iterator[Listed]:
    depth = _depth(node, options)
    if options.ranking == "full" and depth is not None:
        return full_lists(ranker, scorer, places, depth, node.settings["exclude_history"])
    alike = from_catalogue and ranks_all(scorer)
    return sampled_lists(ranker, scorer, places, depth, stored if alike else None)


def _facts(
    cell: Cell,
    options: RunOptions,
    run: Path,
    qrels: Path,
    counts_of_lists: _ListCounts,
    overall: Mapping[str, Any],
) -> dict[str, Any]:
    """`figures` are ours; where targets tie, whatever order a tool gives them lies from `least` to `most`."""
    depth = _depth(cell.nodes["rank"], options)
    names = [name for name in overall if "@" in name and (depth is None or measures.parse(name)[1] <= depth)]
    better, tied = (np.array(column) for column in zip(*counts_of_lists.counts, strict=True))

    def under(ties: str) -> dict[str, float]:
        return {name: float(measures.per_user(name, better, tied, ties).mean()) for name in names}

    return {
        "cell": cell.slug,
        "dataset": cell.dataset,
        "ranking": options.ranking,
        "run": run.name,
        "qrels": qrels.name,
        "users": len(counts_of_lists.counts),
        "depth": depth,
        "ties": cell.experiment.dataset.protocol.ties,
        **counts_of_lists.found,
        "figures": {name: overall[name] for name in names},
        "least": under("pessimistic"),
        "most": under("optimistic"),
        "hash": cell.hash,
        "protocol_hash": cell.protocol_hash,
    }


def _depth(rank: Node, options: RunOptions) -> int | None:
    """Items a user; None where all candidates are written."""
    return options.depth or (int(rank.settings["top"]) if options.ranking == "full" else None)


def _write_qrels(
    folder: Path, cell: Cell, split: Path, user_ids: Sequence[str], item_ids: Sequence[str]
) -> Path:
    """The split's targets: one file for all its cells, of either ranking."""
    path = folder / f"{portable_name(cell.dataset, also='+-')}-{cell.nodes['split'].hash[:8]}.qrels"
    users, items = read_test(split)
    lines = (
        ranks.qrels_line(user_ids[user], item_ids[item])
        for user, item in zip(users.tolist(), items.tolist(), strict=True)
    )
    atomic.write_text(path, "".join(lines))
    return path


def _texts(listed: Listed) -> Iterable[str]:
    digits = SINGLE_DIGITS if listed.scores.dtype == np.float32 else DOUBLE_DIGITS
    return [f"{score:.{digits}g}" for score in listed.scores.tolist()]


def _stored_counts(metrics: Artefact, ranking: Ranking) -> tuple[Ints, Ints]:
    frame = pl.read_parquet(metrics.file("ranks.parquet"), glob=False)
    better, tied = (frame[f"{ranking}_{name}"].to_numpy().astype(np.int64) for name in ("better", "tied"))
    return better, tied


def _finished(node: Node, store: Store, cell: Cell) -> Artefact:
    if not store.has(node.stage, node.hash):
        raise StoreError(
            f"{store.root}: the {node.stage} of {cell.slug} is not there",
            hint="run the spec first, or name the store it ran with (--store)",
        )
    return store.get(node.stage, node.hash)


@contextmanager
def _text_file(path: Path, packed: bool) -> Iterator[IO[str]]:
    """Open a text file, written whole or not at all; packed without a date, so that bytes are the same."""
    with ExitStack() as layers:
        raw: BinaryIO | gzip.GzipFile = layers.enter_context(atomic.stream(path))
        if packed:
            raw = layers.enter_context(gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0))
        yield layers.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"))
