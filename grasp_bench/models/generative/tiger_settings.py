"""Settings of TIGER."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from grasp_bench.spec.section import CONTEXT, Context, EnhancerSettings, Space, roles_of_context


class TigerSettings(EnhancerSettings):
    """An encoder-decoder that generates the codes of the next item (arXiv 2305.05065)."""

    implementation = "grasp_bench.models.generative.tiger:Tiger"
    reads = ("item_codes",)
    semantic_ids: ClassVar[Mapping[str, Any]] = {
        "method": "rq_kmeans", "levels": 3, "collisions": "extra_level",
    }  # fmt: skip
    own_loss = True
    whole_model = True
    training_cost = 40.0
    scoring_cost = 4.0
    space: ClassVar[Space] = {"model.encoder_layers": (2, 4), "model.decoder_layers": (2, 4)}

    encoder_layers: int = Field(4, ge=1, description="tiger: layers of the encoder; 4 as published.")
    decoder_layers: int = Field(4, ge=1, description="tiger: layers of the decoder; 4 as published.")
    attention_heads: int = Field(
        4, ge=1, description="tiger: heads, which share embedding_dim; published: 6 of width 64."
    )
    feed_forward: int = Field(1024, ge=1, description="tiger: width of feed-forward layers.")
    user_tokens: int = Field(
        2000, ge=0, description="tiger: a user is one of so many tokens, by a hash; 0 for none."
    )
    examples: int | None = Field(
        1,
        ge=1,
        description="tiger: histories of a user in an epoch, each up to an item drawn at random; null: all.",
    )
    beam: int | None = Field(
        50,
        ge=1,
        description="tiger: prefixes kept at each level when the catalogue is ranked; items that none of "
        "them leads to come last. null keeps all: exact, at the cost of every prefix for every user.",
    )
    context: Context = CONTEXT

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TigerSettings:
        if self.embedding_dim % self.attention_heads:
            raise ValueError(
                f"attention_heads {self.attention_heads} must divide embedding_dim {self.embedding_dim}"
            )
        return self

    def roles(self) -> tuple[str, ...]:
        """Return the codes, and the users' vectors that the context reads."""
        return (*self.reads, *roles_of_context(self.context))

    def listed(self) -> int | None:
        """Return how many items are ranked at least."""
        return self.beam
