"""Base classes of text provider settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from grasp_bench.spec.section import Component

Scope = Literal["train", "prefix", "train_and_validation", "all"]
SCOPE_NOTE = (
    "Part of the history that the text is made from; anything beyond 'train' is a leak. prefix: 'train', and "
    "a profile of the preceding items at every training position; grasp reads it, under backbones that do "
    "not look ahead."
)
STALE_NOTE = (
    "Number of latest interactions that are missing from a user's text, as in an old profile; at least the "
    "oldest interaction stays. The history that the model reads is complete."
)
REDACT_NOTE = "Columns of the items and users files that are hidden from texts, as if absent."
LEAKS_NOTE = "On a leak: stop, or mark every figure that depends on it."


class TextSettings(Component):
    """Settings of a text provider; subclass one of the two below and give `provider` the name."""

    provider: str = ""

    scope: Scope = Field("train", description=SCOPE_NOTE)
    leaks: Literal["refuse", "mark"] = Field("refuse", description=LEAKS_NOTE)
    stale: int | None = Field(None, ge=0, description=STALE_NOTE)

    @field_validator("stale")
    @classmethod
    def _zero_is_fresh(cls, stale: int | None) -> int | None:
        return stale or None  # both mean a fresh profile and must have the same hash

    @model_validator(mode="after")
    def _one_age_each(self) -> TextSettings:
        if self.stale and self.scope == "prefix":
            raise ValueError(
                "stale: a profile at every position (scope: prefix) is never old; remove stale or scope"
            )
        return self


class PromptSettings(TextSettings):
    """Settings of a provider that fills a template: the text itself or, with `Service`, a prompt."""

    template: str | None = Field(
        None,
        description="A built-in template or a .j2 file; by default `item` or `visited_items`. The paper's: "
        "beauty_item, beauty_user, fashion_item, fashion_user, industry_item, industry_user.",
    )
    missing: str = Field("unknown", description="Word for an absent attribute; '' leaves it empty.")
    redact: tuple[str, ...] = Field((), description=REDACT_NOTE)
    order: Literal["latest_first", "oldest_first"] = "latest_first"
    max_items: int = Field(100, ge=1, description="Items of the history named in a user's text.")
    max_prompt_tokens: int | None = Field(
        None,
        ge=16,
        description="Drop the oldest items of a history until the prompt, system message included, fits. "
        "Tokens are those of the model's encoding if known, else of cl100k_base; for filled templates those "
        "of text-embedding-ada-002.",
    )


class TextFileSettings(TextSettings):
    """Settings of texts that are read from a file with an id and a text column."""

    path: str = Field(min_length=1)
    id_column: str | None = Field(None, description="By default the dataset's user or item column.")
    text_column: str = "text"

    @field_validator("scope")
    @classmethod
    def _one_text_each(cls, scope: Scope) -> Scope:
        if scope == "prefix":
            raise ValueError(
                "prefix: a file has only one text for each user; use provider template or litellm"
            )
        return scope

    @field_validator("stale")
    @classmethod
    def _as_old_as_it_is(cls, stale: int | None) -> int | None:
        if stale:
            raise ValueError("texts of a file cannot be made older; use provider template or litellm")
        return stale
