"""`noise:` — deliberate corruption of a method's inputs at several rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from grasp_bench.components import NOISES
from grasp_bench.spec.section import Section, refuse_repeats

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[*NOISES]


class Noise(Section):
    """Corruption of a share of the entities. Each rate is a cell; a higher rate only adds entities.

    gaussian adds a random vector of about `strength` times the entity's norm. permute takes another entity's
    embedding or text, like a hallucinated description. dropout zeroes a share `strength` of the coordinates.
    category_flip takes the nearest entity of another category (for users: another top category).
    """

    target: Literal["embeddings", "text"] = Field(
        "embeddings", description="text: another entity's text before it is encoded; kind is permute."
    )
    kind: Kind = NOISES.default
    side: Literal["users", "items", "both"] = "both"
    when: Literal["before_retrieval", "after_retrieval"] = Field(
        "before_retrieval",
        description="Whether embeddings are corrupted before or after the search for neighbours.",
    )
    strength: float | None = Field(
        None, gt=0, description="gaussian: noise over norm, default 1; dropout: share, default 0.5."
    )
    rates: tuple[float, ...] = Field(
        (0.0,), min_length=1, description="Shares of corrupted entities; 0 is the cell without noise."
    )

    @field_validator("rates")
    @classmethod
    def _rates_are_shares(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if any(rate < 0 or rate > 1 for rate in rates):
            raise ValueError("rates must lie in [0, 1]")
        refuse_repeats("rates", rates)
        if sorted(rates) != list(rates):
            raise ValueError("rates must ascend")
        return rates

    @model_validator(mode="after")
    def _text_is_permuted(self) -> Noise:
        if self.target == "text" and self.kind != "permute":
            raise ValueError(f"kind {self.kind} needs embeddings; target text takes kind: permute")
        return self

    @model_validator(mode="after")
    def _strength_is_read(self) -> Noise:
        if self.strength is None:
            return self
        settings = NOISES.get(self.kind)
        if settings.strength is None:
            raise ValueError(f"kind {self.kind} reads no strength: remove it")
        if settings.most_strength is not None and self.strength > settings.most_strength:
            raise ValueError(f"strength of {self.kind} is at most {settings.most_strength:g}")
        return self

    def at(self, rate: float) -> Noise | None:
        """Return the same noise at one rate; None for a rate of 0."""
        return self.model_copy(update={"rates": (rate,)}) if rate else None

    @property
    def rate(self) -> float:
        """Return the single rate of a cell."""
        return self.rates[0]

    @property
    def applied_strength(self) -> float | None:
        """Return the given or default strength; None for a kind that has none."""
        return self.strength if self.strength is not None else NOISES.get(self.kind).strength

    def hits(self, side: str) -> bool:
        """Return whether entities of this side are corrupted."""
        return self.side in (side, "both")

    def identity(self) -> dict[str, Any]:
        """Return the keys that identify a cell's noise in cell.json and in names of rows."""
        kind = "text" if self.target == "text" else self.kind
        said = {"rate": self.rate, "kind": kind, "side": self.side, "when": self.when}
        return said if self.strength is None else {**said, "strength": self.strength}
