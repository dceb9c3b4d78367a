"""FlexCode's generator: a causal transformer over the codes of a history (Hui et al., arXiv 2511.20673).

Shape suffixes: B users, T items of all histories, L levels, C tokens of context, d width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grasp_bench.models.backbones.base import initialise
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.enhancers.rpg import codes_of
from grasp_bench.models.enhancers.user_context import UserContext
from grasp_bench.models.generative.causal import CausalTransformer
from grasp_bench.models.generative.decoder import Cache, Memory
from grasp_bench.models.generative.generator import CodeGenerator
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout


class FlexCode(CodeGenerator):
    """Predicts each code of a history from all codes before it, and so the codes of the next item.

    One pass over a user's items trains all positions: the loss is −log p of the codes of every item but
    the first, a mean over items and levels. A token is the sum of its code's vector, one for its level
    and one for its item's place, counted from the first item that is read. The kinds of codes are the
    method's (`semantic_ids.method: flexcode`); any others do as well.
    """

    every_position = True

    def __init__(
        self, codes: Codes, settings: Mapping[str, Any], transformer: CausalTransformer, context: UserContext
    ) -> None:
        width = settings["embedding_dim"]
        super().__init__(codes, width, settings["beam"])
        self.dropout, self.feed_forward = settings["dropout"], settings["feed_forward"]
        self.places = nn.Embedding(settings["max_len"] + 1, width)
        self.transformer, self.context = transformer, context
        initialise(self)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> FlexCode:
        """Build from `spec.model.Model.effective()`; TrainingError without codes of these items."""
        keys = ("decoder_layers", "embedding_dim", "attention_heads", "feed_forward", "dropout")
        transformer = CausalTransformer(*(settings[key] for key in keys))
        codes = codes_of(knowledge, "flexcode", num_items)
        return cls(codes, settings, transformer, UserContext.from_settings(settings, num_users, knowledge))

    def loss(self, history: History, targets_B: Tensor) -> Tensor:
        """Return the mean over items but the first, and levels, of −log p of their codes."""
        items_T, layout = history.layout.followed_by(history.items_T, targets_B)
        tokens_Td, whole = self._tokens(items_T, layout, history.users_B)
        states_Td = self.transformer(dropout(tokens_Td, self.dropout, self.training), whole)
        predicted_S = (layout.position_T > 0).nonzero()[:, 0]
        # The first code of an item is predicted by the token before it, the last one of the item before.
        more = whole.lengths_B - layout.lengths_B * self.levels
        first_T = (
            whole.starts_B[layout.sequence_T] + more[layout.sequence_T] + layout.position_T * self.levels
        )
        before_SL = first_T[predicted_S, None] - 1 + torch.arange(self.levels, device=first_T.device)
        return self._cross_entropy(states_Td[before_SL], self.codes_mL[items_T[predicted_S]])

    def floats_of_state(self, max_len: int) -> int:
        """Return the keys and values of a history in all layers, and the inner states of one layer."""
        width, layers = self.table.weight.shape[1], len(self.transformer.layers)
        return (max_len * self.levels + 2) * (2 * (layers + 3) * width + 2 * self.feed_forward)

    def states(self, history: History, catalogue: Any) -> Memory:
        """Read the histories."""
        tokens_Td, layout = self._tokens(history.items_T, history.layout, history.users_B)
        return self.transformer.remember(tokens_Td, layout).behind(history.layout.lengths_B)

    def _tokens(self, items_T: Tensor, layout: Layout, users_B: Tensor) -> tuple[Tensor, Layout]:
        """Return the vectors of the tokens of items, behind the context, and their layout."""
        places_Td = self.places(layout.position_T)
        items_TLd = self._read(self.codes_mL[items_T]) + self.level_vectors + places_Td[:, None]
        tokens_Td, whole = items_TLd.flatten(0, 1), layout.times(self.levels)
        context_BCd = self.context(users_B)
        if context_BCd is None:
            return tokens_Td, whole
        tokens_Td, _, whole = whole.preceded_by(context_BCd, tokens_Td)
        return tokens_Td, whole

    def _start(self, memory: Memory) -> tuple[Tensor, Cache | None]:
        assert memory.last_Bd is not None
        return memory.last_Bd[:, None], None

    def _extend(
        self, memory: Memory, codes_BWL: Tensor, cache: Cache | None, level: int
    ) -> tuple[Tensor, Cache]:
        assert memory.place_B is not None
        levels_Ld = self.level_vectors[level : level + codes_BWL.shape[2]]
        tokens = self._read(codes_BWL) + levels_Ld + self.places(memory.place_B)[:, None, None]
        return self.transformer.extend(tokens, memory, cache)
