"""`seeds:` — a list of seeds, or as many as it takes to decide the hypotheses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from grasp_bench.spec.section import Section, refuse_repeats

END = 2**31  # of seeds
MOST = 50  # trainings of one method


class SeedsUntilDecided(Section):
    """Every method starts with `least` seeds; methods of undecided hypotheses get more, up to `most`."""

    first: int = Field(
        42, alias="from", ge=0, lt=END - MOST, description="The first seed; the others follow it one by one."
    )
    least: int = Field(3, ge=2, description="Seeds of every method before the first look.")
    most: int = Field(le=MOST, description="Seeds that a method may have at the last look.")
    until: Literal["decided"] = Field(description="Until every declared hypothesis is decided.")

    @field_validator("most")
    @classmethod
    def _most_above_least(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("least")
        if least is not None and most <= least:
            raise ValueError(f"must be greater than least, which is {least}; for a fixed number give a list")
        return most

    def first_of(self, count: int) -> tuple[int, ...]:
        """Return the first `count` seeds."""
        return tuple(range(self.first, self.first + count))


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    refuse_repeats("seeds", seeds)
    if any(seed < 0 or seed >= END for seed in seeds):
        raise ValueError("seeds must lie in [0, 2^31)")
    return seeds


def _form(value: Any) -> str:
    return "until" if isinstance(value, dict | SeedsUntilDecided) else "list"


def _listed(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(
            f"expected a list of seeds, such as [{value}], or a mapping with from, least, most and until; "
            f"got {value}"
        )
    return tuple(value) if isinstance(value, list) else value


SeedList = Annotated[
    tuple[int, ...], Field(min_length=1), BeforeValidator(_listed), AfterValidator(_distinct)
]
Seeds = Annotated[
    Annotated[SeedList, Tag("list")] | Annotated[SeedsUntilDecided, Tag("until")], Discriminator(_form)
]
