"""RPG: long semantic IDs predicted in parallel (Hou et al., KDD 2025, arXiv 2506.05781).

Shape suffixes: T tokens, S rows, B users, K candidates, m items, d width, L levels, N codes of all levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Codes, Enhancer, Knowledge
from grasp_bench.models.enhancers.user_context import TABLES, UserContext
from grasp_bench.models.layers import RowTable


class RPG(Enhancer):
    """An item is the set of its codes: the mean of their vectors where it is read, their product where
    predicted.

    A state h gives each level l a distribution over its codes, softmax(cos(hₗ, e)/τ) with hₗ = h +
    SiLU(Wₗ h) and e the vectors of its codes, the same that items are read by. An item's score is its
    log-probability, Σₗ log pₗ(cₗ), so that the whole catalogue is ranked exactly; the loss is its mean
    over levels, negated.
    """

    def __init__(self, codes: Codes, width: int, temperature: float, context: UserContext) -> None:
        super().__init__()
        self.num_items, self.levels = codes.codes_mL.shape
        self.sizes, self.temperature, self.users = codes.sizes, temperature, context
        self.table = RowTable(sum(codes.sizes), width)
        self.heads = nn.Parameter(torch.empty(self.levels, width, width))
        self.head_biases = nn.Parameter(torch.zeros(self.levels, width))
        nn.init.xavier_normal_(self.table.weight)
        for head in self.heads.data:
            nn.init.xavier_normal_(head)
        self.register_buffer("codes_mL", codes.numbered(), persistent=False)

    codes_mL: Tensor

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> RPG:
        """Build from `spec.model.Model.effective()`; TrainingError without codes of these items."""
        context = UserContext.from_settings(settings, num_users, knowledge)
        codes = codes_of(knowledge, "rpg", num_items)
        return cls(codes, settings["embedding_dim"], settings["code_temperature"], context)

    @classmethod
    def context_tokens(cls, settings: Mapping[str, Any]) -> int:
        """Return how many embeddings `context` names."""
        return len(TABLES[settings["context"]])

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Return the mean vectors of the codes of the history and of the candidates."""
        return self.embed_history(history), self._means(candidates.items_SK)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Return the mean vectors of the history's codes."""
        return self._means(history.items_T)

    def context(self, history: History) -> Tensor | None:
        """Return vectors of the user and of similar users, if asked for."""
        return self.users(history.users_B)

    def loss(self, states_SD: Tensor, targets_S: Tensor) -> Tensor:
        """Return the mean over rows and levels of −log p of the target's code."""
        logits, codes_SL = self._logits(states_SD), self.codes_mL[targets_S]
        firsts = torch.tensor([0, *self.sizes[:-1]]).cumsum(0).tolist()
        losses = [
            F.cross_entropy(level, codes_SL[:, number] - first)
            for number, (level, first) in enumerate(zip(logits, firsts, strict=True))
        ]
        return torch.stack(losses).mean()

    def score_candidates(
        self, states_Sd: Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return log-probabilities (S, K)."""
        codes_SN = self.codes_mL[candidates.items_SK].flatten(1)
        found_SN = self.log_probabilities(states_Sd).gather(1, codes_SN)
        return found_SN.unflatten(1, (-1, self.levels)).sum(2)

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Return log-probabilities (B, m)."""
        # A code's probabilities for all users lie together, so the sum reads memory in order.
        by_code_NB = self.log_probabilities(states_Bd).T.contiguous()
        return F.embedding_bag(self.codes_mL, by_code_NB, mode="sum").T.contiguous()

    def log_probabilities(self, states_Sd: Tensor) -> Tensor:
        """Return the log-probability of each code in its level, (S, N)."""
        return torch.cat([level.log_softmax(1) for level in self._logits(states_Sd)], dim=1)

    def _logits(self, states_Sd: Tensor) -> list[Tensor]:
        """Return the logits of each level's codes, float32."""
        heads_LSd = torch.baddbmm(
            self.head_biases[:, None], states_Sd.expand(self.levels, -1, -1), self.heads
        )
        heads_LSd = F.normalize(states_Sd + F.silu(heads_LSd), dim=-1)
        vectors_Nd = F.normalize(self.table.weight, dim=-1)
        if len(set(self.sizes)) == 1:
            vectors_LKd = vectors_Nd.view(self.levels, -1, vectors_Nd.shape[1])
            return list((heads_LSd @ vectors_LKd.transpose(1, 2)).float() / self.temperature)
        levels = zip(heads_LSd, vectors_Nd.split(list(self.sizes)), strict=True)
        return [(head_Sd @ vectors_Kd.T).float() / self.temperature for head_Sd, vectors_Kd in levels]

    def _means(self, items: Tensor) -> Tensor:
        """Return the mean vector (…, d) of each item's codes."""
        codes_PL = self.codes_mL[items].flatten(0, -2)
        return F.embedding_bag(codes_PL, self.table.weight, mode="mean").view(*items.shape, -1)


def codes_of(knowledge: Knowledge | None, enhancer: str, num_items: int) -> Codes:
    """Return the semantic IDs; TrainingError unless there are those of `num_items` items."""
    codes = knowledge.codes if knowledge is not None else None
    if codes is None:
        raise TrainingError(f"enhancer '{enhancer}' was given no semantic IDs")
    if len(codes.codes_mL) != num_items:
        raise TrainingError(
            f"semantic IDs cover {len(codes.codes_mL)} items, the split has {num_items}",
            hint="run again so that they are made from this split",
        )
    return codes
