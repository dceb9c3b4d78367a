"""`model:` — backbone and enhancer, flat, so that an ablation is one dotted key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from grasp_bench.spec.section import Section

Backbone = Literal["sasrec", "gru4rec", "bert4rec"]
EnhancerName = Literal["none", "llminit", "rlmrec", "llmesr", "grasp"]

SHARED_KEYS = ("backbone", "enhancer", "embedding_dim", "max_len", "dropout")
# The keys each component reads. A key that neither component of a cell reads is no part of its
# hash, so "softmax" on a cell without attention is the same cell as without the ablation.
BACKBONE_KEYS: dict[str, tuple[str, ...]] = {
    "sasrec": ("blocks", "heads", "causal"),
    "gru4rec": ("layers",),
    "bert4rec": ("blocks", "heads", "mask_probability"),
}
ENHANCER_KEYS: dict[str, tuple[str, ...]] = {
    "none": (),
    "llminit": ("init_std",),
    "rlmrec": ("alignment", "align", "align_weight", "align_temperature", "mask_share"),
    "llmesr": (
        "collaborative_init", "adapter_hidden", "cross_attention", "cross_heads", "cross_residual",
        "distil_weight", "distil_dropout",
    ),
    "grasp": (
        "attention", "softmax_over", "self", "similar", "global",
        "mlp_depth", "mlp_hidden", "logit_scale", "logit_scale_init", "id_residual",
    ),
}  # fmt: skip
# The artefacts each enhancer reads besides the split: what it does not read, it does not wait for.
ENHANCER_READS: dict[str, tuple[str, ...]] = {
    "none": (),
    "llminit": ("item_embeddings",),
    "rlmrec": ("user_embeddings", "item_embeddings"),
    "llmesr": ("item_embeddings", "user_neighbours"),
    "grasp": ("user_embeddings", "item_embeddings", "user_neighbours", "item_neighbours"),
}
# Enhancers whose item vectors depend on the user, so that a training position can have its own profile.
READS_PREFIXES = frozenset({"grasp"})
MASKED = frozenset({"bert4rec"})  # backbones that are trained to fill in masked items
NEEDS_EMBEDDINGS = frozenset(name for name, reads in ENHANCER_READS.items() if reads)


def reads_users(enhancer: str) -> bool:
    """Whether an enhancer reads anything that is told of users."""
    return any(role.startswith("user_") for role in ENHANCER_READS[enhancer])


class Model(Section):
    """Widths and switches of backbone and enhancer."""

    backbone: Backbone = "sasrec"
    enhancer: EnhancerName = "none"
    embedding_dim: int = Field(64, ge=2, description="The paper's d, hidden width of the backbone.")
    max_len: int = Field(100, ge=2)
    dropout: float = Field(0.5, ge=0, lt=1)

    blocks: int = Field(2, ge=1)
    heads: int = Field(1, ge=1)
    causal: bool = Field(True, description="False is SASRec as released with LLM-ESR, mask commented out.")
    layers: int = Field(1, ge=1)
    mask_probability: float = Field(0.6, gt=0, lt=1)

    init_std: float | None = Field(
        None, gt=0, description="llminit: bring the table to this standard deviation; else PCA's own scale."
    )

    alignment: Literal["contrastive", "generative"] = "contrastive"
    align: Literal["both", "items", "users"] = Field("both", description="rlmrec: whose representations.")
    align_weight: float = Field(0.01, ge=0, description="rlmrec: weight of the alignment loss.")
    align_temperature: float = Field(0.2, gt=0)
    mask_share: float = Field(
        0.1, gt=0, le=1, description="rlmrec, generative: share of the history's items that is masked."
    )

    collaborative_init: Literal["pca", "random"] = Field(
        "pca", description="llmesr: how its ID table begins."
    )
    adapter_hidden: int | None = Field(
        None, ge=1, description="llmesr: width between the adapter's layers; else half the embeddings'."
    )
    cross_attention: bool = Field(True, description="llmesr: between the two views.")
    cross_heads: int = Field(2, ge=1)
    cross_residual: bool = Field(False, description="llmesr: add a view's own vectors to what was attended.")
    distil_weight: float = Field(
        0.1, ge=0, description="llmesr: weight of the distance to similar users; 0 is no distillation."
    )

    distil_dropout: bool = Field(
        False, description="llmesr: leave dropout on for similar users' states, as its released code does."
    )

    attention: Literal["sigmoid", "softmax", "none"] = "sigmoid"
    softmax_over: Literal["prefix", "sequence"] = Field(
        "prefix",
        description="A position's weight is normalised over what came before it, or (as published) "
        "over the whole sequence; a candidate joins as one more position.",
    )
    self_part: bool = Field(True, alias="self")
    similar_part: bool = Field(True, alias="similar")
    global_part: bool = Field(True, alias="global")
    mlp_depth: int = Field(2, ge=1, le=4)
    mlp_hidden: int | None = Field(None, ge=2, description="Width of hidden layers; else embedding_dim.")
    logit_scale: Literal["fixed", "learnable"] = "fixed"
    logit_scale_init: float = Field(1.0, gt=0, description="Multiplies the logits of eq. 3; 1 is the paper.")
    id_residual: bool = Field(False, description="Add a learned ID embedding to the enhanced vector.")

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.backbone in ("sasrec", "bert4rec") and self.embedding_dim % self.heads:
            raise ValueError(f"embedding_dim {self.embedding_dim} is not divisible by heads {self.heads}")
        if self.enhancer == "llmesr" and self.cross_attention and self.embedding_dim % self.cross_heads:
            raise ValueError(
                f"embedding_dim {self.embedding_dim} is not divisible by cross_heads {self.cross_heads}"
            )
        if self.enhancer == "grasp" and not (self.self_part or self.similar_part or self.global_part):
            raise ValueError("grasp needs at least one of self, similar, global")
        return self

    def effective(self) -> dict[str, Any]:
        """The keys that matter for this backbone and enhancer, by their spec names."""
        keys = (*SHARED_KEYS, *BACKBONE_KEYS[self.backbone], *ENHANCER_KEYS[self.enhancer])
        values = self.model_dump(by_alias=True)
        return {key: values[key] for key in keys}
