"""Scoring and searching items by the codes that a model generates one after the other.

Shape suffixes: B users, K candidates, W prefixes, m items, L levels, d width, N nodes of a level of the trie.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Codes
from grasp_bench.models.generative.base import UNRANKED, WholeModel
from grasp_bench.models.generative.decoder import Cache, Memory, chosen
from grasp_bench.models.generative.trie import Trie

TOKENS_AT_ONCE = 1 << 14  # of a decoder, which bounds its hidden layers


class CodeGenerator(WholeModel):
    """Generates an item's codes level by level, each by a softmax over the codes of its level.

    An item's score is its log-probability, Σₗ log p(cₗ | c₁ … cₗ₋₁, history). The vectors of codes are
    those that items are read by. A subclass encodes histories (`states`) and reads codes (`_start`,
    `_extend`).

    Attributes:
        beam: prefixes kept at each level when the catalogue is ranked; None for all.
    """

    codes_mL: Tensor

    def __init__(self, codes: Codes, width: int, beam: int | None) -> None:
        super().__init__()
        self.num_items, self.levels = codes.codes_mL.shape
        self.sizes, self.beam, self.exact_catalogue = codes.sizes, beam, beam is None
        self.firsts = [sum(codes.sizes[:level]) for level in range(self.levels)]
        self.table = nn.Embedding(sum(codes.sizes), width)
        self.level_vectors = nn.Parameter(torch.empty(self.levels, width))
        self.trie = Trie(codes)
        self.register_buffer("codes_mL", codes.numbered(), persistent=False)

    def score_candidates(
        self, states: Memory, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return log-probabilities (B, K)."""
        codes_BKL = self.codes_mL[candidates.items_SK]
        users = max(1, TOKENS_AT_ONCE // codes_BKL[0].numel())
        return torch.cat([self._score(memory, codes_BKL[rows]) for rows, memory in states.blocks(users)])

    def score_catalogue(self, states: Memory, history: History, catalogue: Any) -> Tensor:
        """Return log-probabilities (B, m): of all items, or of those that the beam finds and UNRANKED
        of the others."""
        most = self.trie.leaves if self.beam is None else self.beam
        found = []
        for _, memory in states.blocks(max(1, TOKENS_AT_ONCE // most)):
            leaves_BN = self._walk(memory) if self.beam is None else self._search(memory, self.beam)
            found.append(leaves_BN[:, self.trie.leaf_m].clamp_min(UNRANKED))
        return torch.cat(found)

    def _start(self, memory: Memory) -> tuple[Tensor, Cache | None]:
        """Return the states (B, 1, d) that predict the first code, and the cache."""
        raise NotImplementedError(f"{type(self).__name__} has no _start")

    def _extend(
        self, memory: Memory, codes_BWL: Tensor, cache: Cache | None, level: int
    ) -> tuple[Tensor, Cache]:
        """Read codes, numbered through, from this level on; return states (B, W, codes, d) and the cache."""
        raise NotImplementedError(f"{type(self).__name__} has no _extend")

    def _read(self, codes: Tensor) -> Tensor:
        """Return the vectors of codes, scaled to the size of the others (as SASRec's items)."""
        return self.table(codes) * self.table.weight.shape[1] ** 0.5

    def _logits(self, states: Tensor, level: int) -> Tensor:
        """Return logits (…, codes of the level) in float32."""
        first = self.firsts[level]
        return (states @ self.table.weight[first : first + self.sizes[level]].T).float()

    def _cross_entropy(self, states_SLd: Tensor, codes_SL: Tensor) -> Tensor:
        """Return the mean over rows and levels of −log p of codes, numbered through."""
        losses = [
            F.cross_entropy(self._logits(states_SLd[:, level], level), codes_SL[:, level] - first)
            for level, first in enumerate(self.firsts)
        ]
        return torch.stack(losses).mean()

    def _score(self, memory: Memory, codes_BKL: Tensor) -> Tensor:
        """Return log-probabilities (B, K) of codes; all share the start."""
        state_B1d, cache = self._start(memory)
        states = [state_B1d]
        if self.levels > 1:
            states += self._extend(memory, codes_BKL[:, :, :-1], cache, 0)[0].unbind(2)
        total = codes_BKL.new_zeros(codes_BKL.shape[:2], dtype=torch.float32)
        for level, state in enumerate(states):
            logs_BKN = self._logits(state, level).log_softmax(-1).expand(-1, codes_BKL.shape[1], -1)
            total += logs_BKN.gather(2, codes_BKL[:, :, level, None] - self.firsts[level])[:, :, 0]
        return total

    def _search(self, memory: Memory, width: int) -> Tensor:
        """Return the log-probability of each leaf (B, leaves) that a beam of `width` finds, −inf of the
        others."""
        users = len(memory)
        node_BW = torch.zeros(users, 1, dtype=torch.int64, device=self.codes_mL.device)
        score_BW = torch.zeros(users, 1, device=self.codes_mL.device)
        state_BWd, cache = self._start(memory)
        for level, size in enumerate(self.sizes):
            logs_BWK = self._logits(state_BWd, level).log_softmax(-1)
            next_BWK = self.trie.next_nodes(level)[node_BW]
            total_BWK = (score_BW[:, :, None] + logs_BWK).masked_fill(next_BWK < 0, -torch.inf)
            score_BW, chosen_BW = total_BWK.flatten(1).topk(min(width, total_BWK[0].numel()), dim=1)
            # Where there are fewer prefixes than the beam is wide, the rest stays at −inf.
            node_BW = next_BWK.flatten(1).gather(1, chosen_BW).clamp_min(0)
            if level + 1 < self.levels:
                code_BW = chosen_BW % size + self.firsts[level]
                state_BWd, cache = self._step(memory, code_BW, cache, chosen_BW // size, level)
        leaves_BN = score_BW.new_full((users, self.trie.leaves), -torch.inf)
        return leaves_BN.scatter_reduce(1, node_BW, score_BW, "amax")

    def _walk(self, memory: Memory) -> Tensor:
        """Return the log-probability of every leaf, (B, leaves)."""
        state_BNd, cache = self._start(memory)
        score_BN = torch.zeros(len(memory), 1, device=self.codes_mL.device)
        for level in range(self.levels):
            logs_BNK = self._logits(state_BNd, level).log_softmax(-1)
            parent_N, code_N = self.trie.parents(level + 1), self.trie.last_codes(level + 1)
            score_BN = score_BN[:, parent_N] + logs_BNK[:, parent_N, code_N]
            if level + 1 < self.levels:
                code_BN = (code_N + self.firsts[level]).expand(len(memory), -1)
                prefix_BN = parent_N.expand(len(memory), -1)
                state_BNd, cache = self._step(memory, code_BN, cache, prefix_BN, level)
        return score_BN

    def _step(
        self, memory: Memory, code_BW: Tensor, cache: Cache | None, prefix_BW: Tensor, level: int
    ) -> tuple[Tensor, Cache]:
        """Read one code behind each chosen prefix; return states (B, W, d) and the cache."""
        kept = None if cache is None else chosen(cache, prefix_BW)
        states_BW1d, cache = self._extend(memory, code_BW[:, :, None], kept, level)
        return states_BW1d[:, :, 0], cache
