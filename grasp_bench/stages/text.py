"""Stage `text`: what is said of each user or item, one line an entity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import (
    read_item_ids,
    read_item_table,
    read_split,
    read_test,
    read_train,
    read_user_ids,
)
from grasp_bench.data.audit import audit_scope
from grasp_bench.data.splits import Ints, Offsets, history_within
from grasp_bench.data.text_audit import audit_user_texts
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.text import TextSource
from grasp_bench.stages.context import RunContext
from grasp_bench.text.subjects import Subjects
from grasp_bench.text.writing import write_texts

SOURCE: TypeAdapter[TextSource] = TypeAdapter(TextSource)


class TextStage:
    """Writes `texts.parquet` (id, text) in entity order.

    Users' texts are searched for the titles of their held-out items before they are let through: a
    source may declare less than it was made from.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: count, distinct, empty, what the provider counted, what the audit found."""
        split, side = inputs["split"].path, node.settings["side"]
        source = SOURCE.validate_python(node.located()["source"])
        audit_scope(f"text.{side}", source.scope, source.leaks)
        items = read_item_table(split)
        ids = read_user_ids(split) if side == "users" else read_item_ids(split)
        written = write_texts(source, Subjects(side, ids, items, *_histories(split, source.scope)))
        facts = dict(written.facts)
        if side == "users" and "title" in items.columns:
            facts["audit"] = _audit(written.texts, source, split, items, ids)
        pl.DataFrame(
            {"id": ids, "text": written.texts}, schema={"id": pl.String, "text": pl.String}
        ).write_parquet(out / "texts.parquet")
        context.report(Event(node.label, len(ids), len(ids), "texts"))
        return {"side": side, **facts}


def _histories(split: Path, scope: str) -> tuple[Ints, Offsets]:
    """Test is opened only where the scope asks for it, which the audit has let through as marked."""
    if scope == "train":
        train = read_train(split)
        return train.train_items, train.train_offsets
    return history_within(read_split(split), scope)


def _audit(
    texts: list[str], source: TextSource, split: Path, items: pl.DataFrame, ids: list[str]
) -> dict[str, dict[str, int]]:
    """Held-out titles found in users' texts, by part.

    LeakError when chance does not explain them and the source does not mark leaks.
    """
    train = read_train(split)
    titles = items["title"].cast(pl.String).to_list()
    found = {}
    parts = {"validation": (train.valid_users, train.valid_items), "test": read_test(split)}
    for part, held_out in parts.items():
        audit = audit_user_texts(texts, train, titles, held_out)
        if source.leaks != "mark":
            audit.refuse_if_gross(f"text.users ({part})", ids)
        found[part] = {"checked": audit.checked, "found": audit.found, "by_chance": audit.chance}
    return found
