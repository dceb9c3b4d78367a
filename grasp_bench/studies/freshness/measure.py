"""Measure the metric against the age of profiles, and the tokens that rarer profiles save.

A filled template is counted as the prompt it would be, without an answer. For texts that a model wrote, the
mean length of its answers is added to each prompt.

Ages are varied by an ordinary `compare:` or `ablations:` of `text.users.stale`. Figures come from published
ranks, tests are those of boards: users and trainings crossed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_train
from grasp_bench.data.profile_age import remade_at, staleness_facts
from grasp_bench.data.splits import Offsets
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.engine.publish import identity
from grasp_bench.plan.cells import Cell, marked_leaks
from grasp_bench.plan.compile import Plan
from grasp_bench.report.cells import ResultCell, read_current
from grasp_bench.report.methods import Method, label_methods, method_of
from grasp_bench.report.schema import PROTOCOLS
from grasp_bench.report.significance import corrected
from grasp_bench.report.study import read_study
from grasp_bench.report.user_values import UserValues
from grasp_bench.services.tokens import TokenCounter, counter
from grasp_bench.spec.patches import SECTIONS
from grasp_bench.spec.text import PromptSettings
from grasp_bench.stages.text import TABLE, entities_of, read_texts
from grasp_bench.stats.comparison import compare
from grasp_bench.stats.intervals import figure_interval
from grasp_bench.studies.freshness.schema import Age, Freshness, FreshnessCurve
from grasp_bench.text.generated import messages_of
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.template_renderer import TemplateRenderer


@dataclass(frozen=True, eq=False)
class ProfileTokens:
    """Tokens of a profile of each interaction and all before it, (T,), in the order of training histories."""

    tokens: NDArray[np.int64]
    offsets: Offsets
    exact: bool

    def asked(self, stale: int) -> int:
        """All that is asked for when no profile may be older than `stale` interactions."""
        return int(self.tokens[remade_at(self.offsets, stale)].sum())


def profile_tokens(cell: Cell, store: Store) -> ProfileTokens:
    """Count the tokens of a profile at every training interaction of every user.

    StoreError when the cell's split is not there; DataError for prompts that cannot be made.
    """
    source = cell.experiment.text.users
    assert isinstance(source, PromptSettings)  # the spec refuses an age for other texts
    split = store.get("split", cell.nodes["split"].hash).path
    train, subjects = read_train(split), entities_of(split, "users", "prefix")
    counting = counter(source.model if isinstance(source, LiteLLMText) else LiteLLMEncoder().model)
    telling = TemplateRenderer(source, subjects)
    prompts = (telling[k] for k in range(train.num_users, len(telling)))
    asked = np.array([counting.count_chat(_contents(source, prompt)) for prompt in prompts], dtype=np.int64)
    return ProfileTokens(asked + _mean_answer(cell, store, counting), train.train_offsets, counting.exact)


def _contents(source: PromptSettings, prompt: str) -> list[str]:
    if isinstance(source, LiteLLMText):
        return [message["content"] for message in messages_of(source, prompt)]
    return [prompt]


def _mean_answer(cell: Cell, store: Store, counting: TokenCounter) -> int:
    """Mean tokens of the texts that a model has written for the cell; 0 for templates."""
    node = cell.nodes["user_text"]
    if not isinstance(cell.experiment.text.users, LiteLLMText) or not store.has(node.stage, node.hash):
        return 0
    lengths = [counting.count(text) for text in read_texts(store.get(node.stage, node.hash).file(TABLE))]
    return round(sum(lengths) / max(len(lengths), 1))


KEY = "text.users.stale"
OF_TOKENS = (
    "Tokens: of users' prompts over the training histories, as if a language model were asked for every "
    "profile. No profile may be older than k interactions, so one is made at a user's first interaction and "
    "at every (k + 1)-th after it; fresh ones are made at every interaction."
)
OF_AGES = (
    "The metric at k is that of profiles exactly k interactions old, the oldest that so rare ones get; on "
    "average they are half as old."
)


@dataclass(frozen=True, eq=False)
class _Family:
    """A method's cells by the age of its profiles; otherwise they differ in the seed alone."""

    method: Method
    ages: Mapping[int, Sequence[Cell]]

    @property
    def first(self) -> Cell:
        """A cell with the freshest profiles."""
        return self.ages[min(self.ages)][0]


def measure_freshness(plan: Plan, store: Store, results: Path) -> Freshness:
    """Read the published cells of a plan below `results`, and count tokens in its split.

    Raises UnknownNameError when no method has profiles of several ages, StoreError when fewer than two of
    them are published or the split is not in the store.
    """
    families = _families(plan)
    if not families:
        raise UnknownNameError(
            f"{plan.name}: no method has profiles of several ages",
            hint=f"vary {KEY} in compare: or ablations:, of a method that reads users' texts",
        )
    folder = results / plan.name
    published = read_current(folder, {cell.slug: cell.hash for cell in plan.cells})
    notes, counted = [OF_TOKENS, OF_AGES], dict[str, ProfileTokens]()
    labels = label_methods([each.method for each in families])
    metric, values = read_study(folder).metric, UserValues()
    curves: list[FreshnessCurve] = []
    for family in families:
        label = labels[family.method]
        found = _finished(family, published)
        notes += _notes(label, family, found, published)
        if len(found) > 1:
            tokens = _counted_once(family.first, store, counted)
            notes.append(_short_histories(found, tokens))
            curves += _curves(label, metric, found, tokens, values)
    if not curves:
        raise StoreError(
            f"{folder}: profiles of fewer than two ages are measured there",
            hint="grasp-bench run the spec first, or name its results (--results)",
        )
    # One exploratory family of all tests of the study; declared hypotheses are on the board.
    tested = [(age, age["test"]) for curve in curves for age in curve["ages"] if age["test"] is not None]
    for (age, _), p in zip(tested, corrected([test for _, test in tested]), strict=True):
        age["p_adjusted"] = p
    if not all(each.exact for each in counted.values()):
        notes.append("Tokens are counted by a usual encoding: the model's own is not known here.")
    return Freshness(spec=plan.name, curves=curves, notes=list(dict.fromkeys(notes)))


def _counted_once(cell: Cell, store: Store, counted: dict[str, ProfileTokens]) -> ProfileTokens:
    """The tokens of a cell's profiles; `counted` keeps those of each split and source."""
    key = content_hash([cell.nodes["split"].hash, cell.experiment.text.users.model_dump(mode="json")])
    if key not in counted:
        counted[key] = profile_tokens(cell, store)
    return counted[key]


def _families(plan: Plan) -> list[_Family]:
    """Methods that read users' texts and have them of several ages, in the order of the plan."""
    grouped: dict[str, dict[int, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in plan.cells:
        if cell.kind == "trained" and "user_text" in cell.nodes:
            settings = cell.experiment.model_dump(mode="json", include={*SECTIONS, "noise"})
            stale = settings["text"]["users"].pop("stale") or 0
            grouped[content_hash(settings)][stale].append(cell)
    return [
        _Family(_method(ages[min(ages)][0]), dict(sorted(ages.items())))
        for ages in grouped.values()
        if len(ages) > 1
    ]


def _method(cell: Cell) -> Method:
    """The method of the freshest cell, without its age."""
    known = identity(cell)
    return method_of({**known, "variant": {key: v for key, v in known["variant"].items() if key != KEY}})


def _finished(family: _Family, published: Mapping[str, ResultCell]) -> dict[int, list[ResultCell]]:
    """Results by age, each age with the seeds that it has."""
    found = {
        age: [published[cell.slug] for cell in cells if cell.slug in published]
        for age, cells in family.ages.items()
    }
    return {age: cells for age, cells in found.items() if cells}


def _notes(
    label: str,
    family: _Family,
    found: Mapping[int, Sequence[ResultCell]],
    published: Mapping[str, ResultCell],
) -> Iterator[str]:
    missing = [c.slug for cells in family.ages.values() for c in cells if c.slug not in published]
    if missing:
        yield f"{label}: not finished: {', '.join(missing)}; every age has the seeds that are there."
    if found and 0 not in found:
        yield f"{label}: has no fresh profiles (0) to compare with; {min(found)} stands for them."
    if marked_leaks(family.first):
        yield f"{label}: made from held-out items."


def _short_histories(found: Mapping[int, Sequence[ResultCell]], tokens: ProfileTokens) -> str:
    """Say how many users have a profile of their oldest interaction because there is no older one."""
    users = len(tokens.offsets) - 1
    kept = {age: staleness_facts(tokens.offsets, age)["oldest_kept"] for age in found if age}
    told = ", ".join(f"{count:,} at {age}" for age, count in kept.items())
    return (
        "A profile knows the oldest interaction at least; where a user has no more than k of them, it is "
        f"younger than k says: of {users:,} users, {told}."
    )


def _curves(
    label: str,
    metric: str,
    found: Mapping[int, Sequence[ResultCell]],
    tokens: ProfileTokens,
    values: UserValues,
) -> Iterator[FreshnessCurve]:
    cells = [cell for each in found.values() for cell in each]
    for protocol in PROTOCOLS:
        if all(metric in (cell.metrics.get(protocol) or {}).get("overall", {}) for cell in cells):
            ages = _ages(metric, protocol, found, tokens, values)
            yield FreshnessCurve(label=label, metric=metric, protocol=protocol, ages=ages)


def _ages(
    metric: str,
    protocol: str,
    found: Mapping[int, Sequence[ResultCell]],
    tokens: ProfileTokens,
    values: UserValues,
) -> list[Age]:
    freshest, every_time = min(found), tokens.asked(0)
    fresh = values.trainings(found[freshest], protocol, metric)
    ages = []
    for stale, cells in found.items():
        aged = values.trainings(cells, protocol, metric)
        figure, asked = figure_interval(aged), tokens.asked(stale)
        test = compare(aged, fresh) if stale != freshest else None
        ages.append(
            Age(
                stale=stale,
                trainings=len(cells),
                mean=figure.mean,
                low=figure.low,
                high=figure.high,
                tokens=asked,
                saved=1 - asked / every_time if every_time else 0.0,
                test=test,
                p_adjusted=None,
            )
        )
    return ages
