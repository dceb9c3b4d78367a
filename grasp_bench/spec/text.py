"""Base classes of the settings that a text provider declares."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from grasp_bench.spec.component import Component

Scope = Literal["train", "prefix", "train_and_validation", "all"]
SCOPE_NOTE = (
    "Part of the history that the text is made from; anything beyond 'train' is a leak. prefix: 'train', and "
    "for training a profile at every position, of the items before it alone; grasp reads it, under backbones "
    "that do not look ahead."
)
STALE_NOTE = (
    "How many of the latest interactions a user's text does not know of yet: a profile that was made so long "
    "ago, of the oldest interaction at least. What the model reads of the history itself stays complete."
)
REDACT_NOTE = "Columns of the items and users files that no text may tell: they read as absent."
LEAKS_NOTE = "What to do about a leak: stop, or go on and mark every figure made with it."


class TextSettings(Component):
    """Settings of a text provider; a subclass names `provider` and derives from one of the two below."""

    provider: str = ""

    scope: Scope = Field("train", description=SCOPE_NOTE)
    leaks: Literal["refuse", "mark"] = Field("refuse", description=LEAKS_NOTE)
    stale: int | None = Field(None, ge=0, description=STALE_NOTE)

    @field_validator("stale")
    @classmethod
    def _zero_is_fresh(cls, stale: int | None) -> int | None:
        return stale or None  # said either way, it asks for nothing and renames no artefact

    @model_validator(mode="after")
    def _one_age_each(self) -> TextSettings:
        if self.stale and self.scope == "prefix":
            raise ValueError(
                "stale: a profile at every position (scope: prefix) is never old; leave one of the two out"
            )
        return self


class PromptSettings(TextSettings):
    """Settings of a provider that fills a prompt template, which is the text or (with `Service`) a prompt."""

    template: str | None = Field(
        None,
        description="A shipped template or a .j2 file; by default `item` or `visited_items`. The paper's: "
        "beauty_item, beauty_user, fashion_item, fashion_user, industry_item, industry_user.",
    )
    missing: str = Field("unknown", description="Word for an attribute that is absent; '' leaves it empty.")
    redact: tuple[str, ...] = Field((), description=REDACT_NOTE)
    order: Literal["latest_first", "oldest_first"] = "latest_first"
    max_items: int = Field(100, ge=1, description="Items of the history named in a user's text.")
    max_prompt_tokens: int | None = Field(
        None,
        ge=16,
        description="Leave the oldest items of a history out until the prompt, system message included, has "
        "no more tokens: the model's where its encoding is known, else cl100k_base's; of filled templates "
        "those of text-embedding-ada-002.",
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
            raise ValueError("prefix: a file has one text for each user; use provider template or litellm")
        return scope

    @field_validator("stale")
    @classmethod
    def _as_old_as_it_is(cls, stale: int | None) -> int | None:
        if stale:
            raise ValueError("texts of a file are as old as they are; use provider template or litellm")
        return stale
