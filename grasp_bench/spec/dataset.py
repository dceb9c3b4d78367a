"""`dataset:` — which interactions, how they are filtered, split and ranked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from grasp_bench.components import DATASETS
from grasp_bench.spec.format import Format
from grasp_bench.spec.metrics import check_further
from grasp_bench.spec.repair import Repair, hashed
from grasp_bench.spec.section import DatasetSettings, Section
from grasp_bench.spec.section_fields import own_fields, replace_fields

MOST_NEGATIVES = 2**16 - 1  # sampled ranks are stored in 16 bits
# The top items up to the longest cutoff are stored for every user.
Cutoff = Annotated[int, Field(ge=1, le=1000)]
Time = int | float | str
ProtocolName = Literal["paper", "strict", "temporal", "strong"]  # see spec/protocols.py
LATER_GROUP_KEYS = ("first_user",)  # added after metrics had been hashed without it
# Added after splits had been hashed without them.
LATER_KEYS = ("users", "sample_users", "format", "min_rating", "session_gap", "max_history")


class Columns(Section):
    """Names of the columns in the interactions and items files."""

    user: str = "user_id"
    item: str = "item_id"
    order: str = Field(
        "auto",
        description="Column that orders a user's interactions; 'auto' takes timestamp, then position; "
        "'file' keeps the order of the file.",
    )
    title: str | tuple[str, ...] = Field(
        "title",
        min_length=1,
        description="A column of the items file, or several that are joined by a space.",
    )
    category: str = "categories"
    rating: str = Field("rating", description="Column that dataset.min_rating reads.")

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Columns:
        of_items = [self.item, *self.titles, self.category]
        if len({self.user, self.item, self.order, self.rating}) < 4 or len(set(of_items)) < len(of_items):
            raise ValueError("one column serves two purposes")
        return self

    @property
    def titles(self) -> tuple[str, ...]:
        """Return the columns that make the title."""
        return (self.title,) if isinstance(self.title, str) else self.title


class Groups(Section):
    """Head and tail of users and items.

    `pareto`: the most frequent 20 % are head. `threshold`: head from the given counts on (the paper's A.2;
    counts of users exclude the test item). `count_on: all` counts items in validation and test too, as the
    paper does; `train` avoids that leak. `first_user: skipped` leaves the first user out of item groups, as
    the released code does, which takes that row for padding.
    """

    rule: Literal["pareto", "threshold"] = "pareto"
    head_user_from: int | None = Field(None, ge=1)
    head_item_from: int | None = Field(None, ge=1)
    count_on: Literal["train", "all"] = "train"
    first_user: Literal["counted", "skipped"] = Field(
        "counted", description="Whether head_item and tail_item count the first evaluated user."
    )

    @model_validator(mode="after")
    def _thresholds_belong_to_their_rule(self) -> Groups:
        given = (self.head_user_from is not None, self.head_item_from is not None)
        if self.rule == "threshold" and not all(given):
            raise ValueError("rule 'threshold' needs both head_user_from and head_item_from")
        if self.rule == "pareto" and any(given):
            raise ValueError("head_user_from and head_item_from need rule 'threshold'")
        return self


class Temporal(Section):
    """Cuts of `split: temporal`, the same for all users: at given times, or else by shares.

    A time is a number in the unit of the order column, or a date such as 2018-09-01 (midnight, UTC).
    Interactions of equal time stay together: those at a cut belong to the later part.
    """

    valid_share: float = Field(0.1, gt=0, lt=1, description="Share of interactions in the validation window.")
    test_share: float = Field(0.1, gt=0, lt=1, description="Share of interactions in the test window.")
    valid_from: Time | None = Field(None, description="Training ends before this time.")
    test_from: Time | None = Field(None, description="The validation window ends before this time.")

    @model_validator(mode="after")
    def _cuts_fit_together(self) -> Temporal:
        if (self.valid_from is None) != (self.test_from is None):
            raise ValueError("give both valid_from and test_from, or neither")
        if self.valid_from is None and self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share leave nothing to train on")
        return self

    def effective(self) -> dict[str, Any]:
        """Return the keys that decide the cuts."""
        keys = {"valid_share", "test_share"} if self.valid_from is None else {"valid_from", "test_from"}
        return self.model_dump(mode="json", include=keys)


class ColdItems(Section):
    """Items of `split: cold_items` that no training sequence has, chosen by SHA-256 of seed and id."""

    share: float = Field(
        0.1, gt=0, lt=0.5, description="Of items: so many for validation, and as many for test."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1)


class Protocol(Section):
    """Split, candidates, tie policy and cutoffs. Rows of different protocols never share a ranking."""

    split: Literal["leave_one_out", "temporal", "cold_items", "given"] = Field(
        "leave_one_out",
        description="temporal: training ends at the same time for all users, so it contains no future. "
        "cold_items: targets are items that no training sequence has. given: a published split, read from "
        "the files train, valid and test of the source's folder.",
    )
    temporal: Temporal = Temporal()
    cold_items: ColdItems = ColdItems()
    negatives: int = Field(100, ge=1, le=MOST_NEGATIVES, description="Sampled negatives per user.")
    candidate_seed: int = Field(42, ge=0, le=2**31 - 1)
    candidates: Literal["stored", "redrawn"] = Field(
        "stored",
        description="stored: drawn once and shared by all methods. redrawn: each cell draws its own test "
        "negatives, and new ones at every validation, as the released code does.",
    )
    validation_negatives: Literal["outside_all", "outside_known"] = Field(
        "outside_all",
        description="outside_all excludes the user's whole history, test item included, which leaks test "
        "into early stopping. outside_known excludes training and validation only.",
    )
    ties: Literal["mean", "optimistic", "pessimistic"] = Field(
        "mean", description="mean: the expected metric over random orders of the tied items."
    )
    also_full_ranking: bool = True
    exclude_history: bool = Field(
        True,
        description="Full ranking excludes the user's known items (never the target), as sampling does. "
        "Set false where targets repeat: the exclusion would reveal whether a target is a repeat.",
    )
    cutoffs: tuple[Cutoff, ...] = Field(
        (1, 3, 5, 10, 20), description="Ascending, at most 1,000; the longest sets the items stored a user."
    )
    metrics: tuple[str, ...] = Field(
        (),
        description="Metrics of other packages beside NDCG, HR and MRR: module:Class, or an installed name.",
    )
    groups: Groups = Groups()

    @field_validator("metrics")
    @classmethod
    def _metrics_are_known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        check_further(metrics)
        return metrics

    @model_validator(mode="after")
    def _cutoffs_ascend(self) -> Protocol:
        if not self.cutoffs or list(self.cutoffs) != sorted(set(self.cutoffs)):
            raise ValueError("cutoffs must be ascending and distinct, and at least one")
        return self


class Dataset(Section):
    """The interactions and how they are filtered, split and ranked.

    `source` is a named dataset (`demo`, `amazon-beauty`, …), a folder with interactions.* and items.*, an
    interactions file, or "module:Class" of code that makes the data, whose keys stand here too.
    """

    source: str = Field(min_length=1)
    items: str | None = Field(None, description="Items file, if it is not beside the interactions.")
    users: str | None = Field(
        None,
        description="Users file: a path, or a name beside the interactions. It has the user column and "
        "attributes for templates (`user.age`). It is read only if named here.",
    )
    columns: Columns = Columns()
    format: Format = Format()
    min_rating: float | None = Field(
        None,
        description="Interactions with a lower rating, or none, are left out, before anything is counted.",
    )
    session_gap: float | None = Field(
        None,
        gt=0,
        description="Hours. A longer pause ends a session, and each session is a user of its own (`u7#2`).",
    )
    max_history: int | None = Field(
        None, ge=3, description="Only the last so many interactions of each user are kept."
    )
    min_user: int = Field(3, ge=3, description="Users with fewer interactions are left out.")
    min_item: int = Field(1, ge=1)
    core: Literal["iterated", "single_pass"] = Field(
        "iterated", description="Apply min_user and min_item to a fixed point, or once."
    )
    sample_users: int | None = Field(
        None,
        ge=1,
        description="Keep this many users, the first by SHA-256 of their id, and their items; the dataset's "
        "name then says that it is a sample.",
    )
    repair: Repair = Repair()
    protocol: Protocol = Protocol()

    @model_validator(mode="after")
    def _own_keys_fit(self) -> Dataset:
        try:
            self.made()
        except ValidationError as error:  # each key alone is valid: the rest are a plugin's own checks
            raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None
        return self

    def made(self) -> DatasetSettings | None:
        """Return the settings of the code that makes the data; None where files hold them."""
        if self.source not in DATASETS:
            return None
        settings = DATASETS.get(self.source)
        return settings.model_validate({name: getattr(self, name) for name in settings.own_fields()})

    def hashed(self) -> dict[str, Any]:
        """Return keys and JSON values as they enter the hash of the split, without the protocol.

        Keys added after artefacts had been hashed are left out where they have their default, and keys of
        other datasets always.
        """
        made = self.made()
        others = own_fields((DATASETS,)).keys() - (made.own_fields() if made else {})
        values = self.model_dump(mode="json", exclude={"protocol", *others})
        for key, info in type(self).model_fields.items():
            if key in LATER_KEYS and getattr(self, key) == info.default:
                del values[key]
        if self.columns.rating == Columns.model_fields["rating"].default:
            del values["columns"]["rating"]
        return {**values, "repair": hashed(self.repair)}


def follow_registries() -> None:
    """Take up the keys of the datasets that are registered now."""
    replace_fields(Dataset, own_fields((DATASETS,)))
