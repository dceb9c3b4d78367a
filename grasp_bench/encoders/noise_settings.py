"""Settings of the kinds of noise on embeddings."""

from __future__ import annotations

from grasp_bench.spec.section import NoiseSettings


class GaussianSettings(NoiseSettings):
    """A random vector of about `strength` times the row's length is added."""

    implementation = "grasp_bench.encoders.noise:gaussian"
    strength = 1.0


class PermuteSettings(NoiseSettings):
    """A row gets the vector of another entity, as a hallucinated description does."""

    implementation = "grasp_bench.encoders.noise:permute"


class DropoutSettings(NoiseSettings):
    """A share `strength` of a row's coordinates is 0."""

    implementation = "grasp_bench.encoders.noise:dropout"
    strength = 0.5
    most_strength = 1.0


class CategoryFlipSettings(NoiseSettings):
    """A row gets the nearest vector of another category."""

    implementation = "grasp_bench.encoders.noise:category_flip"
    reads_categories = True
