"""Measure how much of a data set's catalogue a language model has memorised, beside controls that cannot.

Answers come through the dispatcher, ledger and budget of texts, so none is paid for twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.data.prepare import prepare
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.public_sets import PUBLIC_SETS
from grasp_bench.stats.shares import Share, sign_test, wilson
from grasp_bench.studies.inspection.recall import TASKS, Question, Recall, Task, questions, scores
from grasp_bench.text.asking import ask, asked_service, hidden_columns

Kind = Literal["exact", "near"]
SHOWN = 5  # examples of each task


@dataclass(frozen=True)
class Found:
    """Recall of one task by one kind of match: of the model, and of the two controls.

    `only_model` items are recalled by the model and not by the guess, `only_guess` the other way; `p` is of
    the sign test over them, two-sided, 1 where there is none.
    """

    model: Share
    swapped: Share
    guess: Share
    only_model: int
    only_guess: int
    p: float


@dataclass(frozen=True)
class Example:
    """One question with its answer."""

    item: str
    given: str
    truth: str
    answer: str
    recalled: str


@dataclass(frozen=True)
class TaskRecall:
    """All of one task; `asked` counts items."""

    task: Task
    asked: int
    exact: Found
    near: Found
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Memorisation:
    """What a model recalls of a data set; `called` is the name that it was given."""

    spec: str
    dataset: str
    called: str
    items: int
    model: str
    seed: int
    tasks: tuple[TaskRecall, ...]
    spend: Mapping[str, Any]


@dataclass(frozen=True)
class Asking:
    """Whom to ask and how much; `called` is the data set's name in prompts, by default its published one."""

    model: str | None = None
    sample: int = 200
    seed: int = 0
    max_tokens: int = 32
    max_cost_usd: float | None = None
    called: str | None = None


def probe_memory(experiment: Experiment, ledger: Path, asking: Asking) -> Memorisation:
    """Ask for titles of the spec's data set, and score the answers.

    Raises DataError for data without titles or titles that the spec redacts, and as `asked_service` and
    `ask` do.
    """
    if "title" in hidden_columns(experiment.text):
        raise DataError(
            "text: redact hides titles from language models, and the probe sends them",
            hint="probe a spec without redact, if titles may be sent",
        )
    source = asked_service(experiment.text, asking.model, asking.max_tokens, asking.max_cost_usd)
    prepared = prepare(experiment.dataset)
    public = PUBLIC_SETS.get(experiment.dataset.source or "")
    called = asking.called or (public.title if public else prepared.name)
    asked = questions(prepared.items, called, asking.sample, asking.seed)
    if not asked:
        raise DataError(
            f"{prepared.name}: no item has a title of two words or more",
            hint="choose a data set with titles, or set dataset.columns.title",
        )
    payer = content_hash(["memorisation", prepared.name, source.model])
    names = [f"{each.task} of item '{each.item}'" for each in asked]
    answers, spend = ask([each.prompt for each in asked], names, source, ledger, payer)
    return Memorisation(
        experiment.name, prepared.name, called, prepared.items.height, source.model, asking.seed,
        tuple(_task(task, asked, answers) for task in TASKS), spend,
    )  # fmt: skip


def _task(task: Task, asked: Sequence[Question], answers: Sequence[str]) -> TaskRecall:
    mine = [(each, answer) for each, answer in zip(asked, answers, strict=True) if each.task == task]
    scored = [scores(question, answer) for question, answer in mine]
    # Recalled items first: a reader wants to see what the model knows, if anything.
    best = sorted(range(len(mine)), key=lambda k: -(scored[k]["model"].exact + scored[k]["model"].near))
    examples = tuple(_example(*mine[k], scored[k]["model"]) for k in best[:SHOWN])
    return TaskRecall(task, len(mine), _found(scored, "exact"), _found(scored, "near"), examples)


def _example(question: Question, answer: str, found: Recall) -> Example:
    recalled = "exact" if found.exact else "near" if found.near else "no"
    return Example(question.item, question.given, question.truth, answer, recalled)


def _found(scored: Sequence[Mapping[str, Recall]], kind: Kind) -> Found:
    hits = {who: pl.Series([getattr(each[who], kind) for each in scored]) for who in scored[0]}
    model, swapped, guess = (hits[who] for who in ("model", "swapped", "guess"))
    only_model, only_guess = int((model & ~guess).sum()), int((guess & ~model).sum())
    told, swapped_told, guessed = (wilson(int(each.sum()), len(scored)) for each in (model, swapped, guess))
    p = sign_test(only_model, only_guess)
    return Found(told, swapped_told, guessed, only_model, only_guess, p)
