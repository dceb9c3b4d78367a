"""`tuning:` — a search of dotted keys with Optuna."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class Tuning(Section):
    """A search of dotted keys by `grasp-bench tune`, on validation alone.

    In `space` two numbers are a range, whole ones of a key that takes whole numbers; `[1e-4, 1e-2, log]` is
    one by orders of magnitude. A longer list, or one of other values, is a choice; so is `[32, 64, choice]`.
    """

    sampler: Literal["tpe", "gp", "grid", "random"] = Field(
        "tpe",
        description="grid goes through choices from the spec's own values outwards: first what differs in "
        "one key, which are the curves of each key, then the rest.",
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "none", description="What ends a trial early, by the validation curve of its first seed."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Of the sampler; trainings have `seeds`.")
    trials: int = Field(30, ge=1, description="How many in all, those of earlier commands included.")
    space: dict[str, tuple[Any, ...]] = Field(min_length=1)
