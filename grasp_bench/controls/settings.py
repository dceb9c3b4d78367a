"""Controls: what each one reads, and which class scores. None has a key to set."""

from __future__ import annotations

from grasp_bench.spec.component import ControlSettings


class PopularitySettings(ControlSettings):
    """Interactions of an item in training."""

    implementation = "grasp_bench.controls.popularity:Popularity"


class MarkovSettings(ControlSettings):
    """What came after the last item in training."""

    implementation = "grasp_bench.controls.markov:Markov"


class MarkovSymmetricSettings(ControlSettings):
    """What stood beside the last item in training, before it or after it."""

    implementation = "grasp_bench.controls.markov:MarkovSymmetric"


class MarkovBackoffSettings(ControlSettings):
    """What came after the latest items, older ones with less weight."""

    implementation = "grasp_bench.controls.markov:MarkovBackoff"


class ItemCfSettings(ControlSettings):
    """What the users of the history's items also had."""

    implementation = "grasp_bench.controls.item_cf:ItemCf"


class SequenceKnnSettings(ControlSettings):
    """What users with similar histories had."""

    implementation = "grasp_bench.controls.sequence_knn:SequenceKnn"


class EaseSettings(ControlSettings):
    """A linear model of items by items; its memory grows with the square of the catalogue."""

    implementation = "grasp_bench.controls.ease:Ease"
    only_when_named = True


class ItemKnnSettings(ControlSettings):
    """The items whose embeddings are nearest to those of the history."""

    implementation = "grasp_bench.controls.item_knn:ItemKnn"
    reads = ("item_embeddings",)


class RandomSettings(ControlSettings):
    """Random scores."""

    implementation = "grasp_bench.controls.random_scores:RandomScores"


class ConstantSettings(ControlSettings):
    """One score for every item."""

    implementation = "grasp_bench.controls.constant:Constant"
