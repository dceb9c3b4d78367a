"""`text:` — what is said of users and items before it is embedded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grasp_bench.spec.section import Section

Scope = Literal["train", "train_and_validation", "all"]
SCOPE_NOTE = "Part of the history that the text was made from; anything beyond 'train' fails the leak audit."


class TemplateText(Section):
    """A filled prompt template: the paper's own choice on its public datasets, at no LLM cost."""

    provider: Literal["template"] = "template"
    template: str | None = Field(
        None,
        description="A shipped template (beauty_item, fashion_item, visited_items, …) or a .j2 file; "
        "by default the one that suits the side.",
    )
    missing: str = Field("unknown", description="Word for an attribute that is absent; '' leaves it empty.")
    scope: Scope = Field("train", description=SCOPE_NOTE)
    order: Literal["latest_first", "oldest_first"] = "latest_first"
    max_items: int = Field(100, ge=1, description="Items of the history named in a user's text.")


class LiteLLMText(Section):
    """Text written by a model that litellm reaches."""

    provider: Literal["litellm"] = "litellm"
    model: str = Field(min_length=1)
    template: str | None = None
    api_base: str | None = None
    max_cost_usd: float | None = Field(None, gt=0)
    max_tokens: int = Field(512, ge=1)
    temperature: float = Field(0.0, ge=0, le=2)
    scope: Scope = Field("train", description=SCOPE_NOTE)


class PrecomputedText(Section):
    """Text that somebody else wrote: CSV, Parquet or JSONL with an id and a text column."""

    provider: Literal["precomputed"] = "precomputed"
    path: str = Field(min_length=1)
    id_column: str | None = Field(None, description="By default the dataset's user or item column.")
    text_column: str = "text"
    scope: Scope = Field("train", description=SCOPE_NOTE)
    missing: Literal["fail", "empty"] = "fail"


TextSource = Annotated[TemplateText | LiteLLMText | PrecomputedText, Field(discriminator="provider")]


class Text(Section):
    """Text sources of the two sides."""

    users: TextSource = TemplateText()
    items: TextSource = TemplateText()
