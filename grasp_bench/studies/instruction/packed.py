"""Read a history once, and all of its candidates behind it: one row a user, in which candidates do not meet.

    tokens   history … | candidate 1 | candidate 2 | …
    places   0 … P-1   | P …         | P …         |      each candidate follows the history

A token sees the history before it and its own candidate, so that keys and values of the history are computed
once for all candidates. Shape suffixes: B rows, L tokens, C candidates, d width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.services.local_model import HIDDEN, LocalModel
from grasp_bench.studies.instruction.prompts import Asked

PADDING = -1
ANSWERS = (" Yes", " No")
LLAMA_PARTS = ("embed_tokens", "layers", "norm", "rotary_emb")


@dataclass(frozen=True, eq=False)
class Packed:
    """Rows of one call; `users` (B) says whose they are, `ends_BC` where each candidate's question ends."""

    users: list[int]
    tokens_BL: Tensor
    places_BL: Tensor
    blocks_BL: Tensor
    ends_BC: Tensor

    def mask(self, dtype: torch.dtype) -> Tensor:
        """What each token does not see, as a number to add to its score: (B, 1, L, L)."""
        length = self.tokens_BL.shape[1]
        earlier_LL = torch.ones(length, length, dtype=torch.bool).tril()
        keys_B1L, queries_BL1 = self.blocks_BL[:, None], self.blocks_BL[:, :, None]
        seen_BLL = earlier_LL & ((keys_B1L == 0) | (keys_B1L == queries_BL1))
        return torch.zeros(seen_BLL.shape, dtype=dtype).masked_fill_(~seen_BLL, HIDDEN)[:, None]


def pack(tokenizer: Any, asked: Asked, rows: int, begin: int = 0, end: int | None = None) -> list[Packed]:
    """Tokenise the questions of users from `begin` to `end`, and pack users of like length into a call."""
    prefixes, targets = asked.prefixes[begin:end], asked.targets[begin:end]
    heads = tokenizer(prefixes, add_special_tokens=False)["input_ids"]
    flat = tokenizer([each for one in targets for each in one], add_special_tokens=False)["input_ids"]
    width = asked.candidates
    tails = [flat[k : k + width] for k in range(0, len(flat), width)]
    lengths = [len(head) + sum(map(len, own)) for head, own in zip(heads, tails, strict=True)]
    order = sorted(range(len(heads)), key=lengths.__getitem__)
    return [
        _packed([begin + u for u in users], [heads[u] for u in users], [tails[u] for u in users])
        for users in (order[k : k + rows] for k in range(0, len(order), rows))
    ]


def _packed(users: list[int], heads: list[list[int]], tails: list[list[list[int]]]) -> Packed:
    length = max(len(head) + sum(map(len, own)) for head, own in zip(heads, tails, strict=True))
    tokens_BL = torch.zeros(len(users), length, dtype=torch.int64)
    places_BL, blocks_BL = torch.zeros_like(tokens_BL), torch.full_like(tokens_BL, PADDING)
    ends: list[list[int]] = []
    for row, (head, own) in enumerate(zip(heads, tails, strict=True)):
        column, stops = 0, []
        for block, (first, tokens) in enumerate([(0, head), *((len(head), each) for each in own)]):
            span = slice(column, column + len(tokens))
            tokens_BL[row, span] = torch.tensor(tokens)
            places_BL[row, span] = torch.arange(first, first + len(tokens))
            blocks_BL[row, span] = block
            column += len(tokens)
            stops.append(column - 1)
        ends.append(stops[1:])
    return Packed(users, tokens_BL, places_BL, blocks_BL, torch.tensor(ends))


Read = tuple[Packed, Tensor]


class Reader:
    """Reads packed rows by a model of Llama's form, below and above the lowest tuned layer.

    What stands below is the same for every tuning, and is computed once. Raises DataError for a model of
    another form, or whose tokenizer has no single tokens for the answers.
    """

    def __init__(self, name: str, model: LocalModel, tuned_layers: int) -> None:
        self.model = model
        decoder: Any = model.model.get_decoder()
        if not all(hasattr(decoder, part) for part in LLAMA_PARTS):
            raise DataError(f"{name}: is not built like Llama", hint="choose a Llama, Qwen or SmolLM")
        self._decoder = decoder
        self.first_tuned = max(0, len(decoder.layers) - tuned_layers)
        ids = [model.tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in ANSWERS]
        if any(len(each) != 1 for each in ids):
            raise DataError(f"{name}: its tokenizer has no single tokens for Yes and No")
        self.yes, self.no = (each[0] for each in ids)

    @torch.no_grad()
    def read_below(self, batches: Sequence[Packed]) -> list[Read]:
        """Pair packed rows with their states under the lowest tuned layer, (B, L, d)."""
        embedded = ((packed, self._decoder.embed_tokens(packed.tokens_BL)) for packed in batches)
        untuned = slice(0, self.first_tuned)
        return [(packed, self._through(states_BLd, packed, untuned)) for packed, states_BLd in embedded]

    def logits(self, below_BLd: Tensor, packed: Packed) -> Tensor:
        """Logits of the answer to each candidate, (B, C, V)."""
        states_BLd = self._through(below_BLd, packed, slice(self.first_tuned, None))
        index_BCd = packed.ends_BC[:, :, None].expand(-1, -1, states_BLd.shape[2])
        ends_BCd = self._decoder.norm(states_BLd.gather(1, index_BCd))
        answers: Tensor = self.model.model.lm_head(ends_BCd).float()
        return answers

    @torch.no_grad()
    def scores(self, batches: Sequence[Read]) -> Tensor:
        """How much rather Yes than No is the answer, (U, C), as a difference of logits."""
        found = [self._difference(below_BLd, packed) for packed, below_BLd in batches]
        users = torch.tensor([user for packed, _ in batches for user in packed.users])
        return torch.cat(found)[users.argsort()]

    def _difference(self, below_BLd: Tensor, packed: Packed) -> Tensor:
        logits_BCV = self.logits(below_BLd, packed)
        return logits_BCV[..., self.yes] - logits_BCV[..., self.no]

    def _through(self, states_BLd: Tensor, packed: Packed, layers: slice) -> Tensor:
        mask_B1LL = packed.mask(states_BLd.dtype)
        turned = self._decoder.rotary_emb(states_BLd, position_ids=packed.places_BL)
        for layer in self._decoder.layers[layers]:
            states_BLd = layer(
                states_BLd, attention_mask=mask_B1LL, position_ids=packed.places_BL,
                position_embeddings=turned,
            )  # fmt: skip
        return states_BLd
