"""Stage `text`: make one text per user or item, and write `texts.parquet` in groups of rows."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_table, read_split, read_test, read_train, read_user_table
from grasp_bench.data.audits.coverage import audit_coverage, describe_items
from grasp_bench.data.audits.titles import audit_scope, audit_user_texts
from grasp_bench.data.profile_age import (
    prefix_histories,
    prefix_names,
    prefix_owners,
    staleness_facts,
    without_latest,
)
from grasp_bench.data.splits import Ints, Offsets, history_within
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.choices import TextSource, text_source_of
from grasp_bench.stages.context import RunContext
from grasp_bench.text.providers import Account, Entities, Side, write_texts

GROUP = 8192  # rows; of two kilobytes each they take 16 MB
TABLE = "texts.parquet"
_PARTS = "parts"


def write_text_table(
    out: Path, ids: pl.Series, texts: Iterable[str], progress: Callable[[int], None]
) -> Path:
    """Write columns id and text into `out`, in the order given, and return the file.

    `texts` is read once and to its end; `progress` gets the number written. Files of an interrupted attempt
    are overwritten.
    """
    parts = out / _PARTS
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    stream = iter(texts)
    files: list[Path] = []
    done = 0
    while chunk := list(islice(stream, GROUP)):
        files.append(parts / f"{len(files):06d}.parquet")
        columns = {"id": ids.slice(done, len(chunk)), "text": chunk}
        pl.DataFrame(columns, schema={"id": pl.String, "text": pl.String}).write_parquet(files[-1])
        done += len(chunk)
        progress(done)
    table = out / TABLE
    pl.scan_parquet(files, glob=False).sink_parquet(table, row_group_size=GROUP, maintain_order=True)
    shutil.rmtree(parts)
    return table


def read_texts(table: Path) -> Iterator[str]:
    """Yield the texts in order."""
    scan = pl.scan_parquet(table, glob=False).select("text")
    start = 0
    while len(chunk := scan.slice(start, GROUP).collect()):
        yield from chunk["text"].to_list()
        start += len(chunk)


RATES = ("held_out", "training", "control", "ratio", "low", "high")


class TextStage:
    """Writes `texts.parquet` (id, text) in entity order, a group of rows at a time.

    Users' texts are searched for titles and distinctive words of held-out items, since a source may declare
    less than it was made from.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: count, distinct, empty, the provider's counts, the findings of the audit."""
        split, side = inputs["split"].path, node.settings["side"]
        source = text_source_of(node.located()["source"])
        audit_scope(f"text.{side}", source.scope, source.leaks)
        entities = entities_of(split, side, source.scope, source.stale or 0)
        progress = _progress(node, len(entities.ids), context)
        written = write_texts(source, entities, Account(context.ledger, node.hash, progress))
        table = write_text_table(out, pl.Series(entities.ids), written.texts, progress)
        facts = dict(written.facts)
        if side == "users" and "title" in entities.items.columns:
            facts["audit"] = _audit(table, source, split, entities)
        if source.stale:
            facts["stale"] = staleness_facts(_histories(split, source.scope)[1], source.stale)
        return {"side": side, **facts}


def entities_of(split: Path, side: Side, scope: str, stale: int = 0) -> Entities:
    """Collect the entities of a side with the histories that a text of this scope and age may use."""
    items, users = read_item_table(split), read_user_table(split)
    if scope == "prefix":
        return _prefixes(split, items, users)
    ids = users["user_id"] if side == "users" else items["item_id"]
    history, offsets = _histories(split, scope)
    if stale:
        history, offsets = without_latest(history, offsets, stale)
    return Entities(side, ids, items, history, offsets, users)


def _prefixes(split: Path, items: pl.DataFrame, users: pl.DataFrame) -> Entities:
    """Collect users with their final histories, then with those at each training position."""
    train = read_train(split)
    names = prefix_names(users["user_id"].to_list(), train)
    return Entities("users", names, items, *prefix_histories(train), users[prefix_owners(train)])


def _histories(split: Path, scope: str) -> tuple[Ints, Offsets]:
    """Read histories; opens test only for a scope that needs it, which the audit has accepted as marked."""
    if scope == "train":
        train = read_train(split)
        return train.train_items, train.train_offsets
    return history_within(read_split(split), scope)


def _progress(node: Node, total: int, context: RunContext) -> Callable[[int], None]:
    """Report how many entities are done, counting texts that are requested twice only once."""
    furthest = -1

    def progress(done: int) -> None:
        nonlocal furthest
        if done > furthest:
            furthest = done
            context.report(Event(node.label, done, total, "texts"))

    return progress


def _audit(table: Path, source: TextSource, split: Path, entities: Entities) -> dict[str, Any]:
    """Audit users' texts for titles and distinctive words of held-out items, by part.

    Prefixes, which follow the users, use no more than the user's history and are not audited. Raises
    LeakError when neither chance nor taste explains the findings and the source does not mark leaks.
    """
    return {
        **_titles_told(table, source, split, entities),
        "coverage": _covered(table, source, split, entities),
    }


def _titles_told(
    table: Path, source: TextSource, split: Path, entities: Entities
) -> dict[str, dict[str, int]]:
    train = read_train(split)
    titles = entities.items["title"].cast(pl.String).to_list()
    found = {}
    parts = {"validation": (train.valid_users, train.valid_items), "test": read_test(split)}
    for part, held_out in parts.items():
        audit = audit_user_texts(islice(read_texts(table), train.num_users), train, titles, held_out)
        if source.leaks != "mark":
            audit.refuse_if_gross(f"text.users ({part})", entities.ids)
        found[part] = {"checked": audit.checked, "found": audit.found, "by_chance": audit.chance}
    return found


def _covered(table: Path, source: TextSource, split: Path, entities: Entities) -> dict[str, Any]:
    whole = read_split(split)
    audit = audit_coverage(islice(read_texts(table), whole.num_users), whole, describe_items(entities.items))
    if source.leaks != "mark":
        audit.refuse_if_flagged("text.users")
    parts = {
        part: {name: _rounded(rate) for name, rate in asdict(found).items() if name in RATES}
        for part, found in audit.parts.items()
    }
    return {"flagged": audit.flagged, **parts}


def _rounded(rate: float) -> float | None:
    """Four digits; JSON has no NaN."""
    return round(rate, 4) if math.isfinite(rate) else None
