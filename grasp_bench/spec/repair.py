"""`dataset.repair:` — how to handle questionable rows and an order that the file determined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from grasp_bench.spec.section import Section, without_defaults

# The former name of `time_ties: keep`, which hashes still contain.
KEEP_IN_HASHES = "file_order"


class Repair(Section):
    """Handling of bad rows: `refuse` stops with counts and an example, other values repair."""

    duplicates: Literal["refuse", "keep", "drop"] = Field(
        "keep", description="Repeated rows of the same user, item and order value."
    )
    repeats: Literal["keep", "first", "last"] = Field(
        "keep", description="Several interactions of a user with one item: keep all, or one, by the order."
    )
    unsorted: Literal["refuse", "sort"] = "sort"
    time_ties: Literal["refuse", "keep", "shuffle", "block"] = Field(
        "keep",
        description="Equal times within a user: stop, keep the file's order, shuffle them, or treat them as "
        "one step, of which one item is held out and no item predicts another.",
    )
    ascending_runs: Literal["keep", "shuffle"] = Field(
        "keep",
        description="For files without times: shuffle every run of consecutive items with ascending ids, "
        "an upper bound for the effect of hidden equal times.",
    )
    order_seed: int = Field(
        42, ge=0, le=2**31 - 1, description="Seed of the random orders of time_ties and ascending_runs."
    )
    short_users: Literal["refuse", "drop"] = Field(
        "drop", description="Users below min_user: drop them, or stop."
    )
    unknown_items: Literal["refuse", "keep", "drop"] = Field(
        "keep", description="Interactions with items that are absent from the items file."
    )
    duplicate_items: Literal["refuse", "first"] = Field(
        "refuse",
        description="Items listed more than once in the items file: use the first row, or stop.",
    )
    empty_text: Literal["refuse", "keep"] = Field(
        "keep", description="Items with an empty title; kept ones are described by their other columns."
    )

    @field_validator("time_ties", mode="before")
    @classmethod
    def _renamed(cls, value: Any) -> Any:
        if value == KEEP_IN_HASHES:
            raise ValueError(f"'{KEEP_IN_HASHES}' is now called 'keep'; write time_ties: keep")
        return value

    @model_validator(mode="after")
    def _one_way_of_shuffling(self) -> Repair:
        if self.time_ties in ("shuffle", "block") and self.ascending_runs == "shuffle":
            raise ValueError(
                f"time_ties: {self.time_ties} is for data with times, ascending_runs: shuffle for data "
                "without; leave one of the two out"
            )
        return self

    @property
    def reordering(self) -> str | None:
        """Return the setting (`key: value`) that changes the file's order; None if there is none."""
        if self.time_ties in ("shuffle", "block"):
            return f"time_ties: {self.time_ties}"
        return "ascending_runs: shuffle" if self.ascending_runs == "shuffle" else None

    def order_note(self) -> str | None:
        """Return the note on the order in the dataset's name; None for the file's order."""
        words = {
            "time_ties: shuffle": "equal times shuffled",
            "time_ties: block": "equal times as one step",
            "ascending_runs: shuffle": "ascending runs shuffled",
        }
        return f"{words[self.reordering]}, seed {self.order_seed}" if self.reordering else None


def hashed(repair: Repair) -> dict[str, Any]:
    """Return keys and JSON values as they enter hashes; `repair_of` is the inverse."""
    values = without_defaults(repair, ("ascending_runs", "repeats"))
    if repair.reordering is None:
        del values["order_seed"]
    if repair.time_ties == "keep":
        values["time_ties"] = KEEP_IN_HASHES
    return values


def repair_of(values: Mapping[str, Any]) -> Repair:
    """Rebuild the section from the values of `hashed`."""
    kept = {"time_ties": "keep"} if values.get("time_ties") == KEEP_IN_HASHES else {}
    return Repair.model_validate({**values, **kept})
