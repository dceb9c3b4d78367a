"""Ask a language model whether a user chooses an item, untuned and tuned on few examples.

TALLRec's form and protocol (Bao et al., RecSys 2023, arXiv 2305.00447): titles of the history and one
candidate in an instruction, the answer Yes or No, LoRA tuned on n examples, AUC on other users. Beside it the
target's rank among stored candidates. Shape suffixes: U users, C candidates, the target before negatives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grasp_bench.core import ranks as metrics
from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_item_table, read_split, read_train, read_user_ids
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.services.local_model import LocalModel
from grasp_bench.spec.service import LOCAL
from grasp_bench.stats.auc import auc_over_users
from grasp_bench.stats.intervals import figure_interval, over_trainings
from grasp_bench.stats.trainings import Trainings
from grasp_bench.studies.instruction.packed import Read, Reader, pack
from grasp_bench.studies.instruction.prompts import Asked, Ints, Prompts, few_shot, held_out, read_likes
from grasp_bench.studies.instruction.schema import Figure, Instruction, Method
from grasp_bench.studies.instruction.tuning import Tuning, adapted, tune

Labels = Literal["sampled", "ratings"]
Scores = NDArray[np.float64]
ROWS = 4  # users in a call where nothing is tuned
NEEDED = "grasp-bench run SPEC --only '*popularity*' makes the split and its candidates in seconds"


@dataclass(frozen=True)
class Protocol:
    """What is asked of whom; `above` is the rating from which, exclusively, an item is liked."""

    model: str = "local/smollm2"
    examples: tuple[int, ...] = (16, 64, 256)
    seeds: int = 3
    users: int = 200
    labels: Labels = "sampled"
    above: float = 3.0
    negatives: int = 19
    history: int = 10
    tuned_layers: int = 8
    tuning: Tuning = field(default_factory=Tuning)


def measure_instruction(
    plan: Plan, store: Store, protocol: Protocol, note: Callable[[str], None], model: LocalModel | None = None
) -> Instruction:
    """Measure the model of a protocol on the split and candidates of a plan's first cell.

    `model` is used instead of loading `protocol.model`. Raises StoreError where the split or the candidates
    are not made, DataError for too few users or examples, or a model that is not `local/…`.
    """
    began = time.perf_counter()
    if not protocol.model.startswith(LOCAL):
        raise DataError(
            f"{protocol.model}: logits and tuning need a model in this process",
            hint="name local/smollm2, or local/ and a folder, a .gguf file or a hub's model",
        )
    people = _People(plan.cells[0], store, protocol)
    name = protocol.model.removeprefix(LOCAL)
    reader = Reader(protocol.model, model or LocalModel(name), protocol.tuned_layers)
    # Test targets are opened once all examples are drawn, and no tuning gets them.
    taught = {
        seed: few_shot(people.train, people.prompts, people.teachers, max(protocol.examples), seed)
        for seed in range(protocol.seeds)
    }
    asked = people.asked()
    note(f"test targets of {len(asked.prefixes):,} users are read")
    if asked.positive_UC.all() or not asked.positive_UC.any():
        raise DataError(
            f"all answers of {len(asked.prefixes)} users are the same: no AUC", hint="raise --users"
        )
    tokenizer = reader.model.tokenizer
    batches = reader.read_below(pack(tokenizer, asked, ROWS))
    found: dict[tuple[str, int | None], list[Scores]] = {
        ("untuned model", None): [_numpy(reader.scores(batches))]
    }
    losses: dict[str, list[float]] = {}
    for seed, lesson in taught.items():
        learnt, begin = list[Read](), 0
        positive_UC = torch.from_numpy(lesson.positive_UC)
        for examples in protocol.examples:
            end = examples // lesson.candidates
            learnt += reader.read_below(pack(tokenizer, lesson, protocol.tuning.rows, begin, end))
            begin = end
            with adapted(reader, seed) as parameters:
                fell = tune(reader, parameters, learnt, positive_UC, protocol.tuning, seed)
                scores_UC = _numpy(reader.scores(batches))
            losses.setdefault(str(examples), []).append(round(fell[-1], 4))
            found.setdefault(("tuned model", examples), []).append(scores_UC)
            note(f"seed {seed}, {examples} examples: loss {fell[0]:.3f} to {fell[-1]:.3f}")
    found["popularity", None] = [people.popularity[asked.items_UC].astype(np.float64)]
    found["random order", None] = [np.zeros(asked.items_UC.shape)]
    ranked = protocol.labels == "sampled"
    return {
        "spec": plan.name,
        "dataset": plan.cells[0].dataset,
        "model": protocol.model,
        "labels": protocol.labels,
        "users": len(asked.prefixes),
        "positives": int(asked.positive_UC.sum()),
        "negatives": asked.candidates - 1 if ranked else None,
        "seeds": list(taught),
        "history": protocol.history,
        "epochs": protocol.tuning.epochs,
        "tuned_layers": protocol.tuned_layers,
        "test_read": True,
        "methods": [
            _method(label, examples, scores, asked.positive_UC, ranked)
            for (label, examples), scores in found.items()
        ],
        "losses": losses,
        "seconds": round(time.perf_counter() - began, 1),
        "notes": _notes(protocol),
    }


class _People:
    """The data of a cell: who teaches, whose targets are held out, and how they are told."""

    def __init__(self, cell: Cell, store: Store, protocol: Protocol) -> None:
        for node in (cell.nodes["split"], cell.nodes["candidates"]):
            if not store.has(node.stage, node.hash):
                raise StoreError(f"{store.root}: {node.label} is not made yet", hint=NEEDED)
        self._path = store.get("split", cell.nodes["split"].hash).path
        self._candidates = store.get("candidates", cell.nodes["candidates"].hash)
        self._protocol = protocol
        self.train = read_train(self._path)
        items = read_item_table(self._path)
        titles = items["title"].fill_null("unknown").to_list()
        liked = None
        if protocol.labels == "ratings":
            ids = read_user_ids(self._path), items["item_id"].to_list()
            liked = read_likes(cell.experiment.dataset, *ids, protocol.above)
        self.prompts = Prompts(titles, protocol.history, liked)
        # Which users are evaluated is known from validation, which has the same users, without opening test.
        order = np.random.default_rng(0).permutation(self.train.valid_users.astype(np.int64))
        self._evaluated, self.teachers = np.sort(order[: protocol.users]), order[protocol.users :]
        if not len(self._evaluated) or not len(self.teachers):
            raise DataError(
                f"{len(order)} users have held-out items: too few to evaluate {protocol.users} and learn "
                "from others",
                hint="lower --users",
            )

    @property
    def popularity(self) -> Ints:
        """Training interactions of each item."""
        return np.bincount(self.train.train_items, minlength=self.train.num_items)

    def asked(self) -> Asked:
        """Questions about the test targets of the evaluated users. This opens the test part."""
        split = read_split(self._path)
        rows = np.flatnonzero(np.isin(split.test_users, self._evaluated)).astype(np.int64)
        # Columns of the stored candidates are in random order, so the first ones are a sample of them.
        negatives = load_file(self._candidates.file("test.safetensors"))["negatives"]
        return held_out(split, self.prompts, rows, negatives[:, : self._protocol.negatives])


def _numpy(scores_UC: torch.Tensor) -> Scores:
    return scores_UC.double().numpy()


def _method(
    label: str, examples: int | None, scores: Sequence[Scores], positive_UC: NDArray[np.bool_], ranked: bool
) -> Method:
    areas = [auc_over_users(scores_UC, positive_UC) for scores_UC in scores]
    figure: Figure = {"mean": areas[0].value, "low": areas[0].low, "high": areas[0].high}
    if len(areas) > 1:
        mean = over_trainings([each.value for each in areas], [each.error for each in areas])
        low, high = mean.interval()
        figure = {"mean": mean.difference, "low": max(0.0, low), "high": min(1.0, high)}
    return {
        "label": label,
        "examples": examples,
        "aucs": [round(each.value, 4) for each in areas],
        "auc": figure,
        "hr": _metric("HR@10", scores) if ranked else None,
        "ndcg": _metric("NDCG@10", scores) if ranked else None,
    }


def _metric(metric: str, scores: Sequence[Scores]) -> Figure:
    """A metric of the ranks of the first column, ties by their expectation."""
    values = [
        metrics.per_user(
            metric, (each[:, 1:] > each[:, :1]).sum(1), (each[:, 1:] == each[:, :1]).sum(1), "mean"
        )
        for each in scores
    ]
    found = figure_interval(Trainings.of(values, fixed=len(values) == 1))
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _notes(protocol: Protocol) -> list[str]:
    kinds = {
        "sampled": "Positive: the item that a user chose; negative: one drawn at random. Popularity is a "
        "strong guess for such pairs.",
        "ratings": f"Positive: an item rated above {protocol.above:g}; negative: one rated lower. Examples "
        "are half positive.",
    }
    return [
        kinds[protocol.labels],
        "Examples are the last training interactions of users who are not evaluated. No tuning and no prompt "
        "of an example reads a held-out interaction; settings were fixed before test was opened.",
        "Users, candidates and resamples are the same for all methods. Intervals of tuned models cover users "
        "and trainings, others users alone. Random order is 0.5 by theory.",
        "A ranking is among sampled candidates: the model is asked about each, which a whole catalogue does "
        "not allow. It may not be put on a board of full rankings.",
    ]
