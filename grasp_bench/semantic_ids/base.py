"""What a method of semantic IDs gets and returns.

Shape suffixes: m items, D width of their vectors, L levels, K codes of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Items:
    """The items to code: their ids and, if the method reads them, vectors (m, D), float32."""

    ids: Sequence[str]
    vectors_mD: Tensor | None

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
    """

    codes_mL: Tensor
    rebuilt_mD: Tensor | None = None
    left_mE: Tensor | None = None
    last_KE: Tensor | None = None


class Quantiser(Protocol):
    """A method of semantic IDs.

    Contract (tests/semantic_ids/test_contract.py): codes lie in [0, codebook_size), a seed gives the same
    codes, and items with equal vectors get equal codes where the method reads vectors.
    """

    @classmethod
    def from_settings(cls, settings: Any) -> Self:
        """Build from the method's settings class."""
        ...

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Code all items; `progress` gets how many steps are done, and of how many."""
        ...
