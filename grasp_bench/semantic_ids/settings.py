"""Settings of the methods that make semantic IDs."""

from __future__ import annotations

from pydantic import Field

from grasp_bench.spec.section import SemanticIdSettings


class RQKMeansSettings(SemanticIdSettings):
    """Residual k-means: each level quantises what the levels before it left over."""

    implementation = "grasp_bench.semantic_ids.residual:RQKMeans"

    kmeans_iterations: int = Field(50, ge=1, description="rq_kmeans, opq: most iterations of Lloyd.")


class RQVAESettings(SemanticIdSettings):
    """RQ-VAE: residual quantisation of a latent vector that is trained with it (Lee et al., CVPR 2022)."""

    implementation = "grasp_bench.semantic_ids.rqvae:RQVAE"

    latent_dim: int = Field(32, ge=1, description="rqvae: width of what is quantised.")
    hidden: tuple[int, ...] = Field(
        (512, 256, 128), description="rqvae: widths of the encoder's hidden layers, reversed in the decoder."
    )
    epochs: int = Field(300, ge=1, description="rqvae: passes over the items.")
    batch_size: int = Field(1024, ge=1, description="rqvae: items in a step.")
    lr: float = Field(1e-3, gt=0, description="rqvae: of AdamW.")
    commitment: float = Field(0.25, ge=0, description="rqvae: weight of the encoder's pull to its codes.")


class OPQSettings(SemanticIdSettings):
    """Optimised product quantisation (Ge et al., CVPR 2013): a rotation, then k-means in each of `levels`
    subspaces; the codes of an item have no order."""

    implementation = "grasp_bench.semantic_ids.product:OPQ"

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
