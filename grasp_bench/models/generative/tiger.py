"""TIGER: recommender systems with generative retrieval (Rajput et al., NeurIPS 2023, arXiv 2305.05065).

Shape suffixes: B users, T tokens of all histories, K candidates, W prefixes, m items, L levels, d
width, N codes of all levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.backbones.base import initialise
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.enhancers.rpg import codes_of
from grasp_bench.models.enhancers.user_context import UserContext
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.generative.decoder import Cache, Decoder, Memory, chosen
from grasp_bench.models.generative.encoder import Encoder
from grasp_bench.models.generative.trie import Trie
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout

TOKENS_AT_ONCE = 1 << 14  # of the decoder, which bounds its hidden layers
DECODED_TOGETHER = 32  # histories of a training step, which are of about one length
HASH = 2_654_435_761  # Knuth's multiplicative hash


class Tiger(WholeModel):
    """The encoder reads a token for the user and the codes of a history, the decoder predicts the next
    item's codes.

    An item's score is its log-probability, Σₗ log p(cₗ | c₁ … cₗ₋₁, history), each level a softmax over
    its own codes, whose vectors are those that items are read by. The loss is its mean over levels,
    negated. A token is the sum of its code's vector, one for its level and one for its item's place
    counted from the end, where T5 has biases by distance.

    `context` puts the user's and similar users' embeddings before the history.
    """

    def __init__(
        self, codes: Codes, width: int, max_len: int, encoder: Encoder, decoder: Decoder, dropout: float,
        user_tokens: int, context: UserContext,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_items, self.levels = codes.codes_mL.shape
        self.sizes, self.dropout, self.user_tokens = codes.sizes, dropout, user_tokens
        self.table = nn.Embedding(sum(codes.sizes), width)
        self.level_vectors = nn.Parameter(torch.empty(self.levels, width))
        self.places = nn.Embedding(max_len, width)
        self.start = nn.Parameter(torch.empty(1, width))
        self.users = nn.Embedding(user_tokens, width) if user_tokens else None
        self.encoder, self.decoder, self.context = encoder, decoder, context
        initialise(self)
        self.trie = Trie(codes)
        self.register_buffer("codes_mL", codes.numbered(), persistent=False)
        self.firsts = [sum(codes.sizes[:level]) for level in range(self.levels)]

    codes_mL: Tensor

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> Tiger:
        """Build from `spec.model.Model.effective()`; TrainingError without codes of these items."""
        keys = ("embedding_dim", "attention_heads", "feed_forward", "dropout")
        shape = tuple(settings[key] for key in keys)
        model = cls(
            codes_of(knowledge, "tiger", num_items), settings["embedding_dim"], settings["max_len"],
            Encoder(settings["encoder_layers"], *shape), Decoder(settings["decoder_layers"], *shape),
            settings["dropout"], settings["user_tokens"],
            UserContext.from_settings(settings, num_users, knowledge),
        )  # fmt: skip
        model.beam, model.examples = settings["beam"], settings["examples"]
        model.feed_forward = settings["feed_forward"]
        model.exact_catalogue = model.beam is None
        return model

    beam: int | None = None
    feed_forward: int = 0

    def loss(self, history: History, targets_B: Tensor) -> Tensor:
        """Return the mean over users and levels of −log p of the target's code."""
        codes_BL = self.codes_mL[targets_B]
        states_Td, layout = self._encode(history)
        states_BLd = torch.cat(
            [
                self._decode(self.decoder.remember(states_Td[tokens], part), codes_BL[rows, None, :-1])[0][
                    :, 0
                ]
                for rows, tokens, part in layout.parts(DECODED_TOGETHER)
            ]
        )
        losses = [
            F.cross_entropy(self._logits(states_BLd[:, level], level), codes_BL[:, level] - first)
            for level, first in enumerate(self.firsts)
        ]
        return torch.stack(losses).mean()

    def floats_of_state(self, max_len: int) -> int:
        """Return the keys and values of a history in all layers, and the inner states of one layer."""
        width, hidden = self.table.weight.shape[1], self.feed_forward
        return (max_len * self.levels + 3) * (2 * len(self.decoder.layers) * width + 6 * width + 2 * hidden)

    def states(self, history: History, catalogue: Any) -> Memory:
        """Encode the histories."""
        return self.decoder.remember(*self._encode(history))

    def _encode(self, history: History) -> tuple[Tensor, Layout]:
        tokens_Td, layout = self._tokens(history)
        return self.encoder(dropout(tokens_Td, self.dropout, self.training), layout), layout

    def score_candidates(
        self, states: Memory, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return log-probabilities (B, K)."""
        codes_BKL = self.codes_mL[candidates.items_SK]
        users = max(1, TOKENS_AT_ONCE // codes_BKL[0].numel())
        found = [self._score(memory, codes_BKL[rows]) for rows, memory in states.blocks(users)]
        return torch.cat(found)

    def score_catalogue(self, states: Memory, history: History, catalogue: Any) -> Tensor:
        """Return log-probabilities (B, m): of all items, or of those that the beam finds and −inf of
        the others."""
        most = self.trie.leaves if self.beam is None else self.beam
        found = []
        for _, memory in states.blocks(max(1, TOKENS_AT_ONCE // most)):
            leaves_BN = self._walk(memory) if self.beam is None else self._search(memory, self.beam)
            found.append(leaves_BN[:, self.trie.leaf_m])
        return torch.cat(found)

    def _tokens(self, history: History) -> tuple[Tensor, Layout]:
        """Return the vectors of a history's tokens, the user's first, and their layout."""
        layout, levels = history.layout, self.levels
        places_Td = self.places(layout.from_end_T())
        items_TLd = self._read(self.codes_mL[history.items_T]) + self.level_vectors + places_Td[:, None]
        lengths_B, host = layout.lengths_B * levels, layout.lengths_B.cpu() * levels
        tokens_Td, layout = items_TLd.flatten(0, 1), Layout(lengths_B, host)
        context_BCd = self.context(history.users_B)
        if self.users is not None:
            user_B1d = self.users(history.users_B * HASH % 2**32 % self.user_tokens)[:, None]
            context_BCd = user_B1d if context_BCd is None else torch.cat([user_B1d, context_BCd], dim=1)
        if context_BCd is not None:
            tokens_Td, _, layout = layout.preceded_by(context_BCd, tokens_Td)
        return tokens_Td, layout

    def _decode(
        self, memory: Memory, codes_BWL: Tensor | None, cache: Cache | None = None
    ) -> tuple[Tensor, Cache]:
        """Read codes, numbered through, that follow those of the cache; without one they follow the start.

        Returns states (B, W, tokens, d) and the cache.
        """
        parts = []
        if cache is None:
            prefixes = 1 if codes_BWL is None else codes_BWL.shape[1]
            parts.append(self.start.expand(len(memory), prefixes, 1, -1))
        if codes_BWL is not None:
            first = 0 if cache is None else cache[0][0].shape[-2] - 1
            levels_Ld = self.level_vectors[first : first + codes_BWL.shape[2]]
            parts.append(self._read(codes_BWL) + levels_Ld)
        return self.decoder(torch.cat(parts, dim=2), memory, cache)

    def _read(self, codes: Tensor) -> Tensor:
        """Return the vectors of codes, scaled to the size of the others (as SASRec's items)."""
        return self.table(codes) * self.table.weight.shape[1] ** 0.5

    def _logits(self, states: Tensor, level: int) -> Tensor:
        """Return logits (…, codes of the level) in float32."""
        first = self.firsts[level]
        vectors_Kd = self.table.weight[first : first + self.sizes[level]]
        return (states @ vectors_Kd.T).float()

    def _score(self, memory: Memory, codes_BKL: Tensor) -> Tensor:
        """Return log-probabilities (B, K) of codes; all share the start."""
        state_B11d, cache = self._decode(memory, None)
        states = [state_B11d[:, :, 0].expand(-1, codes_BKL.shape[1], -1)]
        if self.levels > 1:
            states += self._decode(memory, codes_BKL[:, :, :-1], cache)[0].unbind(2)
        total = codes_BKL.new_zeros(codes_BKL.shape[:2], dtype=torch.float32)
        for level, state_BKd in enumerate(states):
            shared = state_BKd[:, :1] if level == 0 else state_BKd
            logs_BKN = self._logits(shared, level).log_softmax(-1)
            index_BK1 = codes_BKL[:, :, level, None] - self.firsts[level]
            total += logs_BKN.expand(-1, codes_BKL.shape[1], -1).gather(2, index_BK1)[:, :, 0]
        return total

    def _search(self, memory: Memory, width: int) -> Tensor:
        """Return the log-probability of each leaf (B, leaves) that a beam of `width` finds, −inf of the
        others."""
        users = len(memory)
        node_BW = torch.zeros(users, 1, dtype=torch.int64, device=self.codes_mL.device)
        score_BW = torch.zeros(users, 1, device=self.codes_mL.device)
        state, cache = self._decode(memory, None)
        for level, size in enumerate(self.sizes):
            logs_BWK = self._logits(state[:, :, -1], level).log_softmax(-1)
            next_BWK = self.trie.next_nodes(level)[node_BW]
            total_BWK = (score_BW[:, :, None] + logs_BWK).masked_fill(next_BWK < 0, -torch.inf)
            score_BW, chosen_BW = total_BWK.flatten(1).topk(min(width, total_BWK[0].numel()), dim=1)
            # Where there are fewer prefixes than the beam is wide, the rest stays at −inf.
            node_BW = next_BWK.flatten(1).gather(1, chosen_BW).clamp_min(0)
            if level + 1 < self.levels:
                code_BW1 = (chosen_BW % size + self.firsts[level])[:, :, None]
                state, cache = self._decode(memory, code_BW1, chosen(cache, chosen_BW // size))
        leaves_BN = score_BW.new_full((users, self.trie.leaves), -torch.inf)
        return leaves_BN.scatter_reduce(1, node_BW, score_BW, "amax")

    def _walk(self, memory: Memory) -> Tensor:
        """Return the log-probability of every leaf, (B, leaves)."""
        state, cache = self._decode(memory, None)
        score_BN = torch.zeros(len(memory), 1, device=self.codes_mL.device)
        for level in range(self.levels):
            logs_BNK = self._logits(state[:, :, -1], level).log_softmax(-1)
            parent_N, code_N = self.trie.parents(level + 1), self.trie.last_codes(level + 1)
            score_BN = score_BN[:, parent_N] + logs_BNK[:, parent_N, code_N]
            if level + 1 < self.levels:
                code_BN1 = (code_N + self.firsts[level]).expand(len(memory), -1)[:, :, None]
                prefix_BN = parent_N.expand(len(memory), -1)
                state, cache = self._decode(memory, code_BN1, chosen(cache, prefix_BN))
        return score_BN
