"""`tuning:` — a search of dotted keys with Optuna."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class Tuning(Section):
    """Search of dotted keys with Optuna; a two-number list is a range, a longer one a choice."""

    sampler: Literal["tpe", "gp", "grid", "random"] = "tpe"
    trials: int = Field(30, ge=1)
    space: dict[str, tuple[Any, ...]] = Field(min_length=1)
