"""`imported:` — runs of other libraries, evaluated on the same stored candidates as ours."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pydantic import Field, model_validator

from grasp_bench.spec.section import Section

RunFormat = Literal["csv", "trec"]
SUFFIXES: dict[str, RunFormat] = {".csv": "csv", ".trec": "trec", ".run": "trec", ".res": "trec"}


class ImportedRun(Section):
    """Scores that somebody else's model gave, as a row of the board.

    A pair that the file should hold and does not is ranked below all that it holds, tied with others like it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$", description="What the board calls it.")
    run: str = Field(
        min_length=1,
        description="CSV with the columns user_id, item_id and score, or TREC lines `user Q0 item rank score "
        "tag` (ranks are not read: scores rank, and ties are ties); .gz too.",
    )
    format: RunFormat | None = Field(None, description="Where the file's suffix does not tell.")
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="Of its training; several files of one name are its seeds."
    )
    holds: Literal["candidates", "catalogue", "top"] = Field(
        "candidates",
        description="Scores of the stored candidates (sampled figures); of all items (both rankings); or "
        "each user's best items alone (full ranking up to `depth`, sampled figures stay blank).",
    )
    depth: int | None = Field(
        None,
        ge=1,
        description="top: so many best items of every user are listed, or more. Longer cutoffs stay blank.",
    )
    absent_up_to: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the pairs it should hold that may be absent before it is refused.",
    )

    @model_validator(mode="after")
    def _readable(self) -> ImportedRun:
        if (self.holds == "top") != (self.depth is not None):
            raise ValueError("depth belongs to `holds: top`, which needs it")
        if self.format is None and self._suffix not in SUFFIXES:
            raise ValueError(f"the suffix of {self.run} does not tell its format: say format: csv or trec")
        return self

    @property
    def read_as(self) -> RunFormat:
        """The format said, or the suffix's."""
        return self.format or SUFFIXES[self._suffix]

    @property
    def _suffix(self) -> str:
        return PurePath(self.run.removesuffix(".gz")).suffix
