"""Settings of the methods that make semantic IDs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from grasp_bench.spec.section import SemanticIdSettings


class RQKMeansSettings(SemanticIdSettings):
    """Residual k-means: each level quantises what the levels before it left over."""

    implementation = "grasp_bench.semantic_ids.residual:RQKMeans"
    item_cost = 7e-4

    kmeans_iterations: int = Field(50, ge=1, description="rq_kmeans, opq: most iterations of Lloyd.")


class AutoencoderSettings(SemanticIdSettings):
    """What RQ-VAE and FlexCode share: an autoencoder of vectors, whose latent is quantised."""

    item_cost = 8e-5  # in one epoch

    latent_dim: int = Field(32, ge=1, description="rqvae, flexcode: width of what is quantised.")
    hidden: tuple[int, ...] = Field(
        (512, 256, 128),
        description="rqvae, flexcode: widths of the encoder's hidden layers, reversed in the decoder.",
    )
    epochs: int = Field(300, ge=1, description="rqvae, flexcode: passes over the items.")
    batch_size: int = Field(1024, ge=1, description="rqvae, flexcode: items in a step.")
    lr: float = Field(1e-3, gt=0, description="rqvae, flexcode: of AdamW.")
    commitment: float = Field(
        0.25, ge=0, description="rqvae, flexcode: weight of the encoder's pull to its codes."
    )

    def cost(self) -> float:
        """Return the seconds of an item on one core with these keys."""
        return self.item_cost * self.epochs


class RQVAESettings(AutoencoderSettings):
    """RQ-VAE: residual quantisation of a latent vector that is trained with it (Lee et al., CVPR 2022)."""

    implementation = "grasp_bench.semantic_ids.rqvae:RQVAE"


class FlexCodeSettings(AutoencoderSettings):
    """Two codebooks, collaborative and semantic, that share `levels` codes by an item's popularity
    (arXiv 2511.20673)."""

    implementation = "grasp_bench.semantic_ids.flexcode:FlexCode"
    item_cost = 2e-4
    reads_signals = True

    levels: int = Field(
        4, ge=2, le=128, description="Codes of an item, before collisions are resolved: FlexCode's budget."
    )
    allocation: Literal["adaptive", "static"] = Field(
        "adaptive",
        description="flexcode: collaborative codes of an item, by a router of its popularity, recency and "
        "errors of both codebooks, or half of the codes for all.",
    )
    router_hidden: int = Field(32, ge=1, description="flexcode: width of the router's hidden layer.")
    mask_temperature: float = Field(
        0.3, gt=0, description="flexcode: softness of the masks of codes in training."
    )
    trusted_from: float | None = Field(
        None,
        gt=0,
        description="flexcode: an item with n interactions has its collaborative error weighed by "
        "n / (n + trusted_from); by default the mean number of interactions.",
    )
    align_codes: float = Field(
        0.1, ge=0, description="flexcode: weight of InfoNCE between both latents of an item."
    )
    align_codes_temperature: float = Field(0.1, gt=0, description="flexcode: its temperature.")
    smooth_codes: float = Field(
        0.1,
        ge=0,
        description="flexcode: weight of the squared difference of allocation between items of "
        "neighbouring popularity.",
    )

    @model_validator(mode="after")
    def _codes_keep_their_kind(self) -> FlexCodeSettings:
        if self.collisions == "nearest_free":
            raise ValueError(
                "flexcode's last codes are of several levels, none of them next to another: use "
                "collisions: extra_level or keep"
            )
        return self


class OPQSettings(SemanticIdSettings):
    """Optimised product quantisation (Ge et al., CVPR 2013): a rotation, then k-means in each of `levels`
    subspaces; the codes of an item have no order."""

    implementation = "grasp_bench.semantic_ids.product:OPQ"
    item_cost = 3.6e-3

    kmeans_iterations: int = Field(50, ge=1, description="rq_kmeans, opq: most iterations of Lloyd.")
    rotations: int = Field(8, ge=0, description="opq: how often the rotation is fitted to the codes.")


class RandomCodesSettings(SemanticIdSettings):
    """Codes drawn at random: a control that knows nothing of an item."""

    implementation = "grasp_bench.semantic_ids.unrelated:RandomCodes"
    reads_vectors = False


class HashCodesSettings(SemanticIdSettings):
    """Codes hashed from an item's id: a control that needs no seed and stays when items are added."""

    implementation = "grasp_bench.semantic_ids.unrelated:HashCodes"
    reads_vectors = False
    draws = False
