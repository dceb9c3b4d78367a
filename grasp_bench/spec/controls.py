"""`controls:` and `imported:` — baseline rows that apply to a spec, and runs of other libraries."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from grasp_bench.components import CONTROLS
from grasp_bench.spec.section import Section

# A method trained on the embeddings of other entities; all other controls are untrained.
SHUFFLED = "shuffled"
NAMES = (*CONTROLS, SHUFFLED)
ControlSeeds = Literal["first", "all"]
if TYPE_CHECKING:
    ControlName = str
else:
    ControlName = Literal[NAMES]


def reads_embeddings(name: str) -> bool:
    """Return whether a control needs a compared method that reads embeddings."""
    return name == SHUFFLED or bool(CONTROLS.get(name).reads)


def controls_asked(given: tuple[str, ...] | None, embeddings: bool) -> tuple[str, ...]:
    """Return the controls of a spec: those given, or all that apply except those that must be named.

    `embeddings` says whether any compared method reads embeddings. ValueError names a given control that does
    not apply.
    """
    lacking = [] if embeddings else [name for name in (*NAMES, *(given or ())) if reads_embeddings(name)]
    if given is None:
        named = [name for name in NAMES if name != SHUFFLED and CONTROLS.get(name).only_when_named]
        return tuple(name for name in NAMES if name not in (*lacking, *named))
    if missing := [name for name in given if name in lacking]:
        raise ValueError(f"{missing[0]} needs a compared method that reads embeddings")
    return given


RunFormat = Literal["csv", "trec"]
SUFFIXES: dict[str, RunFormat] = {".csv": "csv", ".trec": "trec", ".run": "trec", ".res": "trec"}


class ImportedRun(Section):
    """Scores of another library's model, as a row of the board.

    Pairs missing from the file rank below all others and tie with each other.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$", description="Name on the board.")
    run: str = Field(
        min_length=1,
        description="CSV with the columns user_id, item_id and score, or TREC lines `user Q0 item rank score "
        "tag` (ranks are not read: scores rank, and ties are ties); .gz too.",
    )
    format: RunFormat | None = Field(None, description="Format; by default that of the file's suffix.")
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="Seed of its training; files of one name are seeds of one method."
    )
    holds: Literal["candidates", "catalogue", "top"] = Field(
        "candidates",
        description="Scores of the stored candidates (sampled figures); of all items (both rankings); or "
        "each user's best items alone (full ranking up to `depth`, sampled figures stay blank).",
    )
    depth: int | None = Field(
        None,
        ge=1,
        description="top: number of best items listed for every user, at least. Longer cutoffs stay blank.",
    )
    absent_up_to: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Largest share of pairs that may be missing from the file.",
    )

    @model_validator(mode="after")
    def _readable(self) -> ImportedRun:
        if (self.holds == "top") != (self.depth is not None):
            raise ValueError("give depth with `holds: top`, and only there")
        if self.format is None and self._suffix not in SUFFIXES:
            raise ValueError(f"the suffix of {self.run} is unknown: set format: csv or trec")
        return self

    @property
    def read_as(self) -> RunFormat:
        """Return the given format, or that of the suffix."""
        return self.format or SUFFIXES[self._suffix]

    @property
    def _suffix(self) -> str:
        return PurePath(self.run.removesuffix(".gz")).suffix
