"""Settings of the text provider `precomputed`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.text import REDACT_NOTE, TextFileSettings


class PrecomputedText(TextFileSettings):
    """Text that somebody else wrote: CSV, Parquet or JSONL with an id and a text column."""

    implementation = "grasp_bench.text.precomputed:PrecomputedProvider"

    provider: Literal["precomputed"] = "precomputed"
    missing: Literal["fail", "empty", "template"] = Field(
        "fail", description="Entities without a text: stop, none, or the side's default template."
    )
    redact: tuple[str, ...] = Field((), description=REDACT_NOTE)
