"""`dataset.repair:` — what to do about rows that need a decision, and about an order that the file made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from grasp_bench.spec.section import Section, settled

# `time_ties: keep` was called so when artefacts came to be named by it.
KEEP_IN_HASHES = "file_order"


class Repair(Section):
    """What to do about bad rows: `refuse` stops with counts and an example, other words are repairs."""

    duplicates: Literal["refuse", "keep", "drop"] = Field(
        "keep", description="The same user, item and order value more than once."
    )
    unsorted: Literal["refuse", "sort"] = "sort"
    time_ties: Literal["refuse", "keep", "shuffle", "block"] = Field(
        "keep",
        description="Equal times within a user: stop, keep the file's order, put them into random order, or "
        "take them as one step, of which one item is held out and no item predicts another.",
    )
    ascending_runs: Literal["keep", "shuffle"] = Field(
        "keep",
        description="For files without times: shuffle puts every run of neighbours whose item ids ascend "
        "into random order, which bounds from above what equal times can hide.",
    )
    order_seed: int = Field(
        42, ge=0, le=2**31 - 1, description="Of the random orders of time_ties and ascending_runs."
    )
    short_users: Literal["refuse", "drop"] = Field(
        "drop", description="Users that min_user leaves out: leave them out, or stop."
    )
    unknown_items: Literal["refuse", "keep", "drop"] = Field(
        "keep", description="Interactions with items that the items file does not list."
    )
    duplicate_items: Literal["refuse", "first"] = Field(
        "refuse",
        description="An item listed more than once in the items file: the first row counts, or stop.",
    )
    empty_text: Literal["refuse", "keep"] = Field(
        "keep", description="Items whose title is empty; kept items are described by what else is known."
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
        """What puts histories into another order than the file's, `key: value`; None where nothing does."""
        if self.time_ties in ("shuffle", "block"):
            return f"time_ties: {self.time_ties}"
        return "ascending_runs: shuffle" if self.ascending_runs == "shuffle" else None

    def told(self) -> str | None:
        """What the dataset's name says of the order; None where it is the file's."""
        words = {
            "time_ties: shuffle": "equal times shuffled",
            "time_ties: block": "equal times as one step",
            "ascending_runs: shuffle": "ascending runs shuffled",
        }
        return f"{words[self.reordering]}, seed {self.order_seed}" if self.reordering else None


def hashed(repair: Repair) -> dict[str, Any]:
    """Keys and JSON values as artefacts are named by them; `repair_of` reads them."""
    values = settled(repair, ("ascending_runs",))
    if repair.reordering is None:
        del values["order_seed"]
    if repair.time_ties == "keep":
        values["time_ties"] = KEEP_IN_HASHES
    return values


def repair_of(values: Mapping[str, Any]) -> Repair:
    """The section that `hashed` was made of."""
    kept = {"time_ties": "keep"} if values.get("time_ties") == KEEP_IN_HASHES else {}
    return Repair.model_validate({**values, **kept})
