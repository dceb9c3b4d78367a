"""`hypotheses:` — comparisons that are declared before anything has run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class Hypothesis(Section):
    """One declared comparison: the declared ones form the family that Holm corrects.

    `better` and `than` name a method as the board prints it: an enhancer (`grasp`), an enhancer
    with its ablation (`grasp/softmax`) or backbone and both (`sasrec+grasp/softmax`).
    """

    better: str = Field(min_length=1)
    than: str = Field(min_length=1)
    metric: str = Field("NDCG@10", pattern=r"^(NDCG|HR|MRR)@[1-9][0-9]*$")
    protocol: Literal["sampled", "full"] = "full"
    at_least: float = Field(
        0.0,
        ge=0,
        lt=100,
        description="Points of percent from which a difference matters: the verdict is then better by at "
        "least that, equivalent, worse, or undecided.",
    )
    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="The rate of `noise:` that it is about; those above 0 are a family of their own.",
    )
