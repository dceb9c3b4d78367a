"""Sections that turn one base cell into many, and ask questions of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class Noise(Section):
    """Corruption of embeddings at several rates."""

    target: Literal["embeddings", "text"] = "embeddings"
    kind: Literal["gaussian", "permute", "dropout"] = "gaussian"
    side: Literal["users", "items", "both"] = "both"
    rates: tuple[float, ...] = Field((0.0,), min_length=1)


class Tuning(Section):
    """Search of dotted keys with Optuna; a two-number list is a range, a longer one a choice."""

    sampler: Literal["tpe", "gp", "grid", "random"] = "tpe"
    trials: int = Field(30, ge=1)
    space: dict[str, tuple[Any, ...]] = Field(min_length=1)


class Hypothesis(Section):
    """One declared comparison: the declared ones form the family that Holm corrects.

    `better` and `than` name a method as the board prints it: an enhancer (`grasp`), an enhancer
    with its ablation (`grasp/softmax`) or backbone and both (`sasrec+grasp/softmax`).
    """

    better: str = Field(min_length=1)
    than: str = Field(min_length=1)
    metric: str = Field("NDCG@10", pattern=r"^(NDCG|HR|MRR)@[1-9][0-9]*$")
    protocol: Literal["sampled", "full"] = "full"
