"""Let a language model judge whether texts claim what the attributes do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from grasp_bench.core.hashing import content_hash
from grasp_bench.studies.artifact_loading import LoadedSide
from grasp_bench.studies.inspection.grounding_labels import Labels
from grasp_bench.studies.inspection.texts import rows_about
from grasp_bench.text.asking import ask, asked_service, hidden_columns
from grasp_bench.text.attributes import ID_COLUMNS
from grasp_bench.text.grounding import State

# What a judge is told, and what an answer means; a changed wording is asked anew.
WORDS: dict[str, State] = {"CARRIED": "carried", "MISSING": "not_carried", "CONTRADICTED": "contradicted"}
PROMPT = """Facts: {facts}

Text: {text}

Compare what the text claims about brand, category, number, size, colour, audience, place and price level \
with the facts. Answer CARRIED if the facts say all of it, MISSING if the facts do not say some of it, or \
CONTRADICTED if the facts say otherwise. Answer with that one word."""
MOST_FACTS = 4000  # characters; of long histories the latest items
MAX_TOKENS = 8


@dataclass(frozen=True)
class Judge:
    """A judging model, how many texts it reads where none are labelled, its limit, and which texts."""

    model: str
    count: int = 150
    max_cost_usd: float | None = None
    seed: int = 0


def judge_texts(
    opened: LoadedSide, judge: Judge, labels: Labels | None, ledger: Path
) -> tuple[dict[str, State], dict[str, object]]:
    """Judge the labelled texts, or a sample; return states by id, and the judge with its counts and cost.

    Columns that the spec withholds are not sent. Answers that name no state, or several, are counted as
    unread. Raises as `asked_service` and `ask` do.
    """
    texts, ids = opened.texts or [], opened.ids
    chosen = _chosen(ids, judge, labels)
    told = opened.subjects.items.drop([*ID_COLUMNS, *hidden_columns(opened.section)], strict=False)
    prompts = [PROMPT.format(facts=_facts(told, rows_about(opened, k)), text=texts[k]) for k in chosen]
    names = [f"the judge's answer about {opened.side.removesuffix('s')} '{ids[k]}'" for k in chosen]
    service = asked_service(opened.section, judge.model, MAX_TOKENS, judge.max_cost_usd)
    payer = content_hash(["grounding", opened.cell, opened.side, judge.model])
    answers, spend = ask(prompts, names, service, ledger, payer)
    read_as = {ids[k]: read(answer) for k, answer in zip(chosen, answers, strict=True)}
    states = {id: state for id, state in read_as.items() if state is not None}
    unread = len(read_as) - len(states)
    return states, {"model": judge.model, "judged": len(states), "unread": unread, "spend": spend}


def _chosen(ids: Sequence[str], judge: Judge, labels: Labels | None) -> list[int]:
    if labels is not None:
        return [k for k, id in enumerate(ids) if id in labels.states]
    rng = np.random.default_rng(judge.seed)
    return sorted(rng.choice(len(ids), min(judge.count, len(ids)), replace=False).tolist())


def read(answer: str) -> State | None:
    """Return the one state that an answer names; None for none or several.

    Example:
        >>> read("Missing.")
        'not_carried'
    """
    named = {state for word, state in WORDS.items() if word in answer.upper()}
    return named.pop() if len(named) == 1 else None


def _facts(items: pl.DataFrame, rows: Sequence[int]) -> str:
    """Attributes of some rows of the item table, the latest of a history first."""
    told = []
    for row in reversed(rows):
        values: Mapping[str, object] = items.row(row, named=True)
        told.append("; ".join(f"{name}: {value}" for name, value in values.items() if value is not None))
    return " | ".join(told)[:MOST_FACTS]
