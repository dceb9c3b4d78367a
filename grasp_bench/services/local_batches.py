"""Continue many prompts at once: a row of the batch is given to the next prompt as soon as its text ends.

All rows write to the same column of the cache, and a prompt that joins is put so that it ends there. So rows
need no common beginning, and each step is one plain call of the model. Shape suffixes: B rows, P columns of
prompts that join together, C columns of the cache, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from grasp_bench.services.local_model import HIDDEN, LocalModel, Prompt, Written

MOST_ROWS = 64
MOST_READ = 8192  # tokens of prompts, padding included, that are read in one call
GROWTH = 256  # columns by which a cache grows

Done = Callable[[Written], None]
Failed = Callable[[Exception], None]


@dataclass(eq=False)
class Row:
    """A text in progress: where its prompt begins, and what has been written."""

    prompt: Prompt
    done: Done
    failed: Failed
    first: int = 0
    written: list[int] = field(default_factory=list)


class Columns(DynamicLayer):
    """Keys and values of one layer (B, heads, C, width), written in place at a column that its owner sets."""

    keys: Any
    values: Any
    column = 0

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write states of new tokens; return those of all columns up to them."""
        end = self.column + key_states.shape[2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            shape = (*key_states.shape[:2], end, key_states.shape[3])
            self.keys, self.values = key_states.new_zeros(shape), value_states.new_zeros(shape)
        if end > self.keys.shape[2]:
            room = (0, 0, 0, max(GROWTH, end - self.keys.shape[2]))
            self.keys = F.pad(self.keys, room)
            self.values = F.pad(self.values, room)
        self.keys[:, :, self.column : end] = key_states
        self.values[:, :, self.column : end] = value_states
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Return the columns before the new tokens."""
        return self.column


class Batch:
    """Rows that are continued together; `waiting` prompts join as rows come free.

    Example:
        >>> batch = Batch(LocalModel("smollm2"))
        >>> batch.add(Prompt(tokens, most=64), print, print)
        >>> while batch.busy:
        ...     batch.step()
    """

    def __init__(self, model: LocalModel, most_rows: int = MOST_ROWS) -> None:
        self.model = model
        self.most_rows = most_rows
        self.rows: list[Row] = []
        self.waiting: list[Row] = []
        self.column = 0
        self.layers: list[Columns] = []

    @property
    def busy(self) -> bool:
        """Whether a text is in progress or waits."""
        return bool(self.rows or self.waiting)

    def add(self, prompt: Prompt, done: Done, failed: Failed) -> None:
        """Let a prompt wait for a row; `done` gets its text, or `failed` what prevents it."""
        self.waiting.append(Row(prompt, done, failed))

    def give_up(self, error: Exception) -> None:
        """Tell all prompts of an error, and forget them."""
        for row in [*self.rows, *self.waiting]:
            with suppress(InvalidStateError):  # cancelled meanwhile
                row.failed(error)
        self.rows, self.waiting, self.layers, self.column = [], [], [], 0

    @torch.inference_mode()
    def step(self) -> None:
        """Let waiting prompts join where rows are free, and write the next token of each row."""
        if self.waiting and len(self.rows) < self.most_rows:
            self._join()
        if self.rows:
            self._write(self._next_logits())

    def _next_logits(self) -> Tensor:
        device = self.model.device
        newest_B1 = torch.tensor([[row.written[-1]] for row in self.rows], device=device)
        firsts_B1 = torch.tensor([[row.first] for row in self.rows], device=device)
        columns_C = torch.arange(self.column + 1, device=device)
        mask_B11C = self._hidden(columns_C[None] < firsts_B1)[:, None, None]
        logits = self._call(newest_B1, mask_B11C, self.column - firsts_B1, self.layers, self.column)
        self.column += 1
        return logits

    def _join(self) -> None:
        """Read the prompts of like length that have waited longest, and give each a row."""
        free, oldest = self.most_rows - len(self.rows), self.waiting[0]
        by_length = sorted(self.waiting, key=lambda row: len(row.prompt.tokens))
        start = max(0, min(by_length.index(oldest), len(by_length) - free))
        joining = by_length[start : start + free]
        while len(joining) > 1 and len(joining) * len(joining[-1].prompt.tokens) > MOST_READ:
            joining.pop(0 if joining[0] is not oldest else -1)
        self.waiting = [row for row in self.waiting if row not in joining]
        width = max(len(row.prompt.tokens) for row in joining)
        layers, logits_BV = self._read([row.prompt.tokens for row in joining], width)
        self._make_room(width)
        for row in joining:
            row.first = self.column - len(row.prompt.tokens)
        self._place(layers, width)
        self.rows += joining
        self._write(logits_BV, joining)

    def _read(self, prompts: list[list[int]], width: int) -> tuple[list[Columns], Tensor]:
        """Read prompts that end in the same column, and return their states and the logits after them."""
        device = self.model.device
        tokens_BP = torch.zeros(len(prompts), width, dtype=torch.int64)
        for tokens, row_P in zip(prompts, tokens_BP, strict=True):
            row_P[width - len(tokens) :] = torch.tensor(tokens)
        firsts_B1 = torch.tensor([[width - len(tokens)] for tokens in prompts], device=device)
        columns_P = torch.arange(width, device=device)
        unseen_BPP = (columns_P[None, None] > columns_P[None, :, None]) | (columns_P < firsts_B1)[:, None]
        mask_B1PP = self._hidden(unseen_BPP)[:, None]
        layers = [Columns() for _ in range(self.model.model.config.num_hidden_layers)]
        places_BP = (columns_P[None] - firsts_B1).clamp(min=0)
        return layers, self._call(tokens_BP.to(device), mask_B1PP, places_BP, layers, 0)

    def _call(
        self, tokens: Tensor, mask: Tensor, places: Tensor, layers: list[Columns], column: int
    ) -> Tensor:
        for layer in layers:
            layer.column = column
        cache = Cache(layers=list(layers))
        found = self.model.model(
            input_ids=tokens, attention_mask=mask, position_ids=places, past_key_values=cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        logits_BV: Tensor = found.logits[:, -1].float()
        return logits_BV

    def _hidden(self, unseen: Tensor) -> Tensor:
        return torch.zeros(unseen.shape, dtype=self.model.dtype, device=unseen.device).masked_fill_(
            unseen, HIDDEN
        )

    def _make_room(self, width: int) -> None:
        """Move the rows so that a prompt of this width ends in the present column, with no idle columns."""
        earliest = min((row.first for row in self.rows), default=self.column)
        shift = max(0, width - self.column) or -min(earliest, self.column - width)
        if not self.rows:
            self.layers, self.column = [], width
        elif shift:
            for layer in self.layers:
                for name in ("keys", "values"):
                    kept = getattr(layer, name)[:, :, max(0, -shift) : self.column]
                    setattr(layer, name, F.pad(kept, (0, 0, max(0, shift), GROWTH)))
            self.column += shift
            for row in self.rows:
                row.first += shift

    def _place(self, new: list[Columns], width: int) -> None:
        """Put the states of prompts below those of the rows, ending in the present column."""
        if not self.layers:
            self.layers = new
            return
        for layer, joining in zip(self.layers, new, strict=True):
            for name in ("keys", "values"):
                old, more = getattr(layer, name), getattr(joining, name)[:, :, :width]
                room = (0, 0, self.column - width, old.shape[2] - self.column)
                setattr(layer, name, torch.cat([old, F.pad(more, room)]))

    def _write(self, logits_BV: Tensor, rows: list[Row] | None = None) -> None:
        """Choose the next token of each row; hand over texts that have ended."""
        rows = self.rows if rows is None else rows
        best_B = logits_BV.argmax(1).tolist()
        for k, row in enumerate(rows):
            prompt = row.prompt
            token = best_B[k] if prompt.temperature == 0 else sampled(logits_BV[k], prompt)
            row.written.append(token)
        ended = [row for row in self.rows if self._ended(row)]
        if ended:
            self._keep([k for k, row in enumerate(self.rows) if row not in ended])
        for row in ended:
            stopped = row.written[-1] in self.model.ends
            tokens = row.written[:-1] if stopped else row.written
            text = Written(self.model.decode(tokens), "stop" if stopped else "length", len(row.written))
            with suppress(InvalidStateError):  # cancelled meanwhile
                row.done(text)

    def _ended(self, row: Row) -> bool:
        limit = min(row.prompt.most, self.model.longest - len(row.prompt.tokens))
        return row.written[-1] in self.model.ends or len(row.written) >= limit or row.prompt.cancelled()

    def _keep(self, places: list[int]) -> None:
        self.rows = [self.rows[k] for k in places]
        index = torch.tensor(places, dtype=torch.int64, device=self.model.device)
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[index], layer.values[index]


def sampled(logits_V: Tensor, prompt: Prompt) -> int:
    """Draw a token by temperature among the most probable ones, which together have `top_p`."""
    chances_V = (logits_V / prompt.temperature).softmax(0)
    sorted_V, tokens_V = chances_V.sort(descending=True)
    before_V = sorted_V.cumsum(0) - sorted_V
    kept_V = torch.where(before_V < prompt.top_p, sorted_V, 0.0).cumsum(0)
    place = int(torch.searchsorted(kept_V, kept_V[-1] * prompt.uniforms()))
    return int(tokens_V[min(place, len(tokens_V) - 1)])
