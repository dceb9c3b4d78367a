"""Settings of the encoder `precomputed`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.encoder import VectorFileSettings


class PrecomputedEncoder(VectorFileSettings):
    """Vectors made elsewhere: .parquet, .jsonl or .csv (columns id and vector, in CSV written "[0.1, 0.2]");
    .npy or .safetensors with ids in <name>.ids.txt, one a line; or LLM-ESR's folder `handled` or a .pkl of
    it, row k for id k + 1, or for the raw id by id_map.json beside it."""

    implementation = "grasp_bench.encoders.precomputed:PrecomputedVectors"

    kind: Literal["precomputed"] = "precomputed"
    missing: Literal["fail", "mean"] = Field(
        "fail", description="Entities without a vector: stop, or the mean vector of the others of their side."
    )
    normalize: bool = Field(True, description="Scale to unit norm; otherwise vectors are taken as they are.")
