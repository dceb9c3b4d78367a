"""Settings that models have in common which generate codes one after the other."""

from __future__ import annotations

from pydantic import Field, model_validator

from grasp_bench.spec.section import CONTEXT, Context, EnhancerSettings, roles_of_context


class GeneratorSettings(EnhancerSettings):
    """The decoder of an item's codes, and how the catalogue is ranked by it."""

    reads = ("item_codes",)
    own_loss = True
    whole_model = True
    scoring_cost = 4.0

    decoder_layers: int = Field(
        4, ge=1, description="tiger, flexcode: layers of the decoder; 4 as published."
    )
    attention_heads: int = Field(
        4, ge=1, description="tiger, flexcode: heads, which share embedding_dim; TIGER's: 6 of width 64."
    )
    feed_forward: int = Field(1024, ge=1, description="tiger, flexcode: width of feed-forward layers.")
    beam: int | None = Field(
        50,
        ge=1,
        description="tiger, flexcode: prefixes kept at each level when the catalogue is ranked; items that "
        "none of them leads to come last. null keeps all: exact, at the cost of every prefix for every user.",
    )
    context: Context = CONTEXT

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> GeneratorSettings:
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
