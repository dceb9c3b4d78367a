"""Settings of the controls: the artefacts that each reads and the class that scores. None has keys."""

from __future__ import annotations

from grasp_bench.spec.section import ControlSettings


class PopularitySettings(ControlSettings):
    """Scores an item by its interactions in training."""

    implementation = "grasp_bench.controls.unpersonalised:Popularity"


class MarkovSettings(ControlSettings):
    """Scores an item by how often it followed the last item in training."""

    implementation = "grasp_bench.controls.markov:Markov"


class MarkovSymmetricSettings(ControlSettings):
    """Scores an item by how often it stood beside the last item in training, before or after."""

    implementation = "grasp_bench.controls.markov:MarkovSymmetric"


class MarkovBackoffSettings(ControlSettings):
    """Scores an item by how often it followed the latest items, older ones with less weight."""

    implementation = "grasp_bench.controls.markov:MarkovBackoff"


class ItemCfSettings(ControlSettings):
    """Scores an item by the users that it shares with the items of the history."""

    implementation = "grasp_bench.controls.neighbourhoods:ItemCf"


class SequenceKnnSettings(ControlSettings):
    """Scores an item by the users with similar histories who had it."""

    implementation = "grasp_bench.controls.neighbourhoods:SequenceKnn"


class EaseSettings(ControlSettings):
    """A linear model of items by items; its memory grows with the square of the catalogue."""

    implementation = "grasp_bench.controls.ease:Ease"
    only_when_named = True


class ItemKnnSettings(ControlSettings):
    """Scores an item by the cosine of its embedding to those of the history."""

    implementation = "grasp_bench.controls.neighbourhoods:ItemKnn"
    reads = ("item_embeddings",)


class RandomSettings(ControlSettings):
    """Scores at random."""

    implementation = "grasp_bench.controls.unpersonalised:RandomScores"


class ConstantSettings(ControlSettings):
    """Gives every item the same score."""

    implementation = "grasp_bench.controls.unpersonalised:Constant"
