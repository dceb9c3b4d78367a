"""TIGER: recommender systems with generative retrieval (Rajput et al., NeurIPS 2023, arXiv 2305.05065).

Shape suffixes: B users, T tokens of all histories, W prefixes, L levels, d width.
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
from grasp_bench.models.generative.decoder import Cache, Decoder, Memory
from grasp_bench.models.generative.encoder import Encoder
from grasp_bench.models.generative.generator import CodeGenerator
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout

DECODED_TOGETHER = 32  # histories of a training step, which are of about one length
HASH = 2_654_435_761  # Knuth's multiplicative hash


class Tiger(CodeGenerator):
    """The encoder reads a token for the user and the codes of a history, the decoder predicts the next
    item's codes.

    The loss is −log p of the target's codes, a mean over levels. A token is the sum of its code's
    vector, one for its level and one for its item's place counted from the end, where T5 has biases by
    distance. `context` puts the user's and similar users' embeddings before the history.
    """

    def __init__(
        self,
        codes: Codes,
        settings: Mapping[str, Any],
        encoder: Encoder,
        decoder: Decoder,
        context: UserContext,
    ) -> None:
        width = settings["embedding_dim"]
        super().__init__(codes, width, settings["beam"])
        self.examples, self.dropout = settings["examples"], settings["dropout"]
        self.user_tokens, self.feed_forward = settings["user_tokens"], settings["feed_forward"]
        self.places = nn.Embedding(settings["max_len"], width)
        self.start = nn.Parameter(torch.empty(1, width))
        self.users = nn.Embedding(self.user_tokens, width) if self.user_tokens else None
        self.encoder, self.decoder, self.context = encoder, decoder, context
        initialise(self)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> Tiger:
        """Build from `spec.model.Model.effective()`; TrainingError without codes of these items."""
        keys = ("embedding_dim", "attention_heads", "feed_forward", "dropout")
        shape = tuple(settings[key] for key in keys)
        return cls(
            codes_of(knowledge, "tiger", num_items), settings, Encoder(settings["encoder_layers"], *shape),
            Decoder(settings["decoder_layers"], *shape),
            UserContext.from_settings(settings, num_users, knowledge),
        )  # fmt: skip

    def loss(self, history: History, targets_B: Tensor) -> Tensor:
        """Return the mean over users and levels of −log p of the target's code."""
        codes_BL = self.codes_mL[targets_B]
        states_Td, layout = self._encode(history)
        states = []
        for rows, tokens, part in layout.parts(DECODED_TOGETHER):
            memory = self.decoder.remember(states_Td[tokens], part)
            states.append(self._decode(memory, codes_BL[rows, None, :-1], 0, None)[0][:, 0])
        return self._cross_entropy(torch.cat(states), codes_BL)

    def floats_of_state(self, max_len: int) -> int:
        """Return the keys and values of a history in all layers, and the inner states of one layer."""
        width, layers = self.table.weight.shape[1], len(self.decoder.layers)
        return (max_len * self.levels + 3) * (2 * (layers + 3) * width + 2 * self.feed_forward)

    def states(self, history: History, catalogue: Any) -> Memory:
        """Encode the histories."""
        return self.decoder.remember(*self._encode(history))

    def _encode(self, history: History) -> tuple[Tensor, Layout]:
        tokens_Td, layout = self._tokens(history)
        return self.encoder(dropout(tokens_Td, self.dropout, self.training), layout), layout

    def _tokens(self, history: History) -> tuple[Tensor, Layout]:
        """Return the vectors of a history's tokens, the user's first, and their layout."""
        places_Td = self.places(history.layout.from_end_T())
        items_TLd = self._read(self.codes_mL[history.items_T]) + self.level_vectors + places_Td[:, None]
        tokens_Td, layout = items_TLd.flatten(0, 1), history.layout.times(self.levels)
        context_BCd = self.context(history.users_B)
        if self.users is not None:
            user_B1d = self.users(history.users_B * HASH % 2**32 % self.user_tokens)[:, None]
            context_BCd = user_B1d if context_BCd is None else torch.cat([user_B1d, context_BCd], dim=1)
        if context_BCd is not None:
            tokens_Td, _, layout = layout.preceded_by(context_BCd, tokens_Td)
        return tokens_Td, layout

    def _start(self, memory: Memory) -> tuple[Tensor, Cache | None]:
        states_B11d, cache = self.decoder(self.start.expand(len(memory), 1, 1, -1), memory)
        return states_B11d[:, :, 0], cache

    def _extend(
        self, memory: Memory, codes_BWL: Tensor, cache: Cache | None, level: int
    ) -> tuple[Tensor, Cache]:
        return self._decode(memory, codes_BWL, level, cache)

    def _decode(
        self, memory: Memory, codes_BWL: Tensor, level: int, cache: Cache | None
    ) -> tuple[Tensor, Cache]:
        """Read codes from a level on, behind those of the cache; without one they follow the start token."""
        tokens = self._read(codes_BWL) + self.level_vectors[level : level + codes_BWL.shape[2]]
        if cache is None:
            start = self.start.expand(*tokens.shape[:2], 1, -1)
            tokens = torch.cat([start, tokens], dim=2)
        return self.decoder(tokens, memory, cache)
