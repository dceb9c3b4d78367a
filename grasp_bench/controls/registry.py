"""The controls by the name that a spec gives them."""

from __future__ import annotations

from grasp_bench.controls.base import Control
from grasp_bench.core.registry import Registry

CONTROLS = Registry[type[Control]](
    "control",
    {
        "popularity": "grasp_bench.controls.popularity:Popularity",
        "markov": "grasp_bench.controls.markov:Markov",
        "markov_symmetric": "grasp_bench.controls.markov:MarkovSymmetric",
        "markov_backoff": "grasp_bench.controls.markov:MarkovBackoff",
        "item_cf": "grasp_bench.controls.item_cf:ItemCf",
        "sequence_knn": "grasp_bench.controls.sequence_knn:SequenceKnn",
        "ease": "grasp_bench.controls.ease:Ease",
        "item_knn": "grasp_bench.controls.item_knn:ItemKnn",
        "random": "grasp_bench.controls.random_scores:RandomScores",
        "constant": "grasp_bench.controls.constant:Constant",
    },
)
