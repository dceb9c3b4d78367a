"""What a method of semantic IDs gets and returns.

Shape suffixes: m items, D width of their vectors, L levels, K codes of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from grasp_bench.spec.section import SemanticIdSettings


@dataclass(frozen=True)
class Signals:
    """What training says of items: vectors of a SASRec (m, E), how many interactions an item has (m,),
    and where in its readers' histories it stands in the mean, 0 first and 1 last (m,); 0.5 for an item
    without any."""

    vectors_mE: Tensor
    interactions_m: Tensor
    recency_m: Tensor


@dataclass(frozen=True)
class Items:
    """The items to code: their ids and, if the method reads them, vectors (m, D), float32.

    `signals` are there for a method with `reads_signals`.
    """

    ids: Sequence[str]
    vectors_mD: Tensor | None
    signals: Signals | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self) -> Tensor:
        """Return the vectors of a method that reads them."""
        assert self.vectors_mD is not None
        return self.vectors_mD


@dataclass(frozen=True)
class Quantised:
    """Codes of items, before collisions are resolved.

    Attributes:
        codes_mL: int64, the code of each level.
        rebuilt_mD: the vectors that the codes stand for; None for codes that stand for none.
        left_mE: what the last level quantised, and its centres `last_KE`: they say which code is the next
            best. None for codes that are all alike.
        sizes: number of codes of each level; None where it is `codebook_size` for all.
        facts: what the method adds to the card.
    """

    codes_mL: Tensor
    rebuilt_mD: Tensor | None = None
    left_mE: Tensor | None = None
    last_KE: Tensor | None = None
    sizes: tuple[int, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Settings = TypeVar("Settings", bound=SemanticIdSettings)


class Quantiser(Generic[Settings]):
    """A method of semantic IDs.

    Contract (tests/semantic_ids/test_contract.py): codes lie in [0, codebook_size), or below
    `Quantised.sizes`, a seed gives the same codes, and items with equal vectors get equal codes where the
    method reads vectors.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Build from the method's settings class."""
        return cls(settings)

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Code all items; `progress` gets how many steps are done, and of how many."""
        raise NotImplementedError(f"{type(self).__name__} has no quantise")
