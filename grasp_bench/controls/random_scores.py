"""Random scores: what a ranking is worth that knows nothing."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History

SEED = 42
# SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014); as int64,
# whose products wrap around.
GAMMA = 0x9E3779B97F4A7C15 - 2**64
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


class RandomScores(Control):
    """A number in [0, 1) for each pair of user and item, by a hash of the two and a fixed seed.

    No generator is advanced, so that a pair's score does not depend on which candidates are asked.
    """

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Nothing to take."""
        return cls(train.num_items)

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """The users, mixed with the seed."""
        return mixed(history.users_B + mixed(torch.tensor(SEED)))

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Of each pair."""
        return _fraction(mixed(states_B[:, None] + candidates.items_SK * GAMMA))

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Of each pair."""
        return _fraction(mixed(states_B[:, None] + torch.arange(self.num_items) * GAMMA))


def mixed(values: Tensor) -> Tensor:
    """SplitMix64's finaliser: every bit of an int64 depends on every other."""
    values = values + GAMMA
    for bits, factor in ((30, FIRST), (27, SECOND)):
        values ^= _shifted(values, bits)
        values *= factor
    return values.bitwise_xor_(_shifted(values, 31))


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Shifted right without the sign, which torch would fill in."""
    shifted = values >> bits
    return shifted.bitwise_and_((1 << (64 - bits)) - 1)


def _fraction(values: Tensor) -> Tensor:
    """The upper 53 bits as float64 in [0, 1)."""
    return _shifted(values, 11).double().mul_(2.0**-53)
