"""Continue many prompts at once: a row of the batch is given to the next prompt as soon as its text ends.

Each step is one plain call of the model. What all prompts begin with, such as a system message, is read
once. Shape suffixes: B rows, S tokens that prompts share, P columns of what is theirs alone, C columns of the
cache, G key-value heads, D width of a head, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import Cache

from grasp_bench.services.local_cache import Layer, Window
from grasp_bench.services.local_model import HIDDEN, LocalModel, Prompt, Written

MOST_ROWS = 64
MOST_READ = 8192  # tokens of prompts, padding included, that are read in one call
LEAST_SHARED = 8  # tokens
ENOUGH, PATIENCE = 1 / 8, 8  # so many prompts per row join at once; fewer wait, so many steps at most

Done = Callable[[Written], None]
Failed = Callable[[Exception], None]


@dataclass(eq=False)
class Row:
    """A text in progress: its prompt, whom to tell, and what has been written."""

    prompt: Prompt
    done: Done
    failed: Failed
    written: list[int] = field(default_factory=list)


@dataclass
class Pace:
    """What a batch has done, and the seconds it took."""

    prompts: int = 0
    read: int = 0
    reading: float = 0.0
    texts: int = 0
    written: int = 0  # tokens of these texts
    steps: int = 0
    rows: int = 0  # of all steps: tokens that they wrote
    writing: float = 0.0

    def facts(self) -> dict[str, float]:
        """Return seconds per token read and written, the mean number of rows, and mean tokens of a text.

        Nothing is returned where no text has ended, or none of more than one token.
        """
        if not (self.texts and self.steps):
            return {}
        return {
            "read": self.reading / self.read, "write": self.writing / self.rows,
            "rows": self.rows / self.steps, "prompt": self.read / self.prompts,
            "written": self.written / self.texts, "texts": self.texts,
        }  # fmt: skip


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
        self.pace = Pace()
        self._waited = 0  # steps since the oldest of those that wait could have joined
        self._shared: list[int] = []
        self._states: list[tuple[Tensor, Tensor]] = []  # keys and values (1, G, S, D) of `_shared`, by layer
        self._window = self._empty()

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
        self.rows, self.waiting, self._window = [], [], self._empty()

    @torch.inference_mode()
    def step(self) -> None:
        """Let waiting prompts join where rows are free, and write the next token of each row."""
        free = min(self.most_rows - len(self.rows), len(self.waiting))
        self._waited = self._waited + 1 if free else 0
        # To read one prompt takes nearly as long as to read a few, so that one waits a little for others.
        if free and (free >= len(self.rows) * ENOUGH or self._waited > PATIENCE):
            self._waited = 0
            self._join()
        if self.rows:
            began, count = perf_counter(), len(self.rows)
            self._choose(self._next_logits(), self.rows)
            pace = self.pace
            pace.writing += perf_counter() - began
            pace.steps, pace.rows = pace.steps + 1, pace.rows + count
            self._hand_over()

    def _next_logits(self) -> Tensor:
        device, window = self.model.device, self._window
        newest_B1 = torch.tensor([[row.written[-1]] for row in self.rows], device=device)
        firsts_B1 = torch.tensor(window.firsts, device=device)[:, None]
        columns_C = torch.arange(window.start, window.end + 1, device=device)
        mask_B11C = self._hidden(columns_C[None] < firsts_B1)[:, None, None]
        logits_BV = self._call(newest_B1, mask_B11C, window.end - firsts_B1, window.cache())
        window.advance()
        return logits_BV

    def _join(self) -> None:
        """Read the prompts of like length that have waited longest, and give each a row."""
        free, oldest = self.most_rows - len(self.rows), self.waiting[0]
        by_length = sorted(self.waiting, key=lambda row: len(row.prompt.tokens))
        start = max(0, min(by_length.index(oldest), len(by_length) - free))
        joining = by_length[start : start + free]
        while len(joining) > 1 and len(joining) * len(joining[-1].prompt.tokens) > MOST_READ:
            joining.pop(0 if joining[0] is not oldest else -1)
        began, prompts = perf_counter(), [row.prompt.tokens for row in joining]
        shared = self._share(prompts)
        layers, logits_BV = self._read([tokens[shared:] for tokens in prompts], shared)
        self._window.join(layers, shared, [len(tokens) for tokens in prompts])
        self.waiting = [row for row in self.waiting if row not in joining]
        self.rows += joining
        self._choose(logits_BV, joining)
        pace = self.pace
        pace.reading += perf_counter() - began
        pace.prompts, pace.read = pace.prompts + len(prompts), pace.read + sum(map(len, prompts))
        self._hand_over()

    def _share(self, prompts: list[list[int]]) -> int:
        """Return how many tokens of the prompts' beginnings have been read, here if not before."""
        shortest, known = min(map(len, prompts)), self._shared
        if not 0 < len(known) < shortest or any(tokens[: len(known)] != known for tokens in prompts):
            everyone = [*prompts, *(row.prompt.tokens for row in self.rows)]
            differ = (k for k, tokens in enumerate(zip(*everyone, strict=False)) if len({*tokens}) > 1)
            shared = min(next(differ, MOST_READ), shortest - 1)
            if len(everyone) == 1 or shared < LEAST_SHARED:
                return 0
            layers, _ = self._read([prompts[0][:shared]], 0)
            self._shared = prompts[0][:shared]
            self._states = [(layer.keys, layer.values) for layer in layers]
        return len(self._shared)

    def _read(self, prompts: list[list[int]], shared: int) -> tuple[list[Layer], Tensor]:
        """Read what follows the shared tokens, to end in one column; return states, and logits after it."""
        device, width = self.model.device, max(map(len, prompts))
        tokens_BP = torch.zeros(len(prompts), width, dtype=torch.int64)
        for tokens, row_P in zip(prompts, tokens_BP, strict=True):
            row_P[width - len(tokens) :] = torch.tensor(tokens)
        firsts_B1 = torch.tensor([[width - len(tokens)] for tokens in prompts], device=device)
        columns_P = torch.arange(width, device=device)
        unseen_BPP = (columns_P[None, None] > columns_P[None, :, None]) | (columns_P < firsts_B1)[:, None]
        mask_B1PC = self._hidden(F.pad(unseen_BPP, (shared, 0)))[:, None]
        places_BP = shared + (columns_P[None] - firsts_B1).clamp(min=0)
        layers = [Layer() for _ in range(self.model.model.config.num_hidden_layers)]
        for layer, states in zip(layers, self._states if shared else [], strict=False):
            keys, values = (each.expand(len(prompts), -1, -1, -1) for each in states)
            layer.update(keys, values)
        return layers, self._call(tokens_BP.to(device), mask_B1PC, places_BP, Cache(layers=list(layers)))

    def _call(self, tokens: Tensor, mask: Tensor, places: Tensor, cache: Cache) -> Tensor:
        found = self.model.model(
            input_ids=tokens, attention_mask=mask, position_ids=places, past_key_values=cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        logits_BV: Tensor = found.logits[:, -1].float()
        return logits_BV

    def _empty(self) -> Window:
        return Window(self.model.model.config.num_hidden_layers, self.most_rows)

    def _hidden(self, unseen: Tensor) -> Tensor:
        return torch.zeros(unseen.shape, dtype=self.model.dtype, device=unseen.device).masked_fill_(
            unseen, HIDDEN
        )

    def _choose(self, logits_BV: Tensor, rows: list[Row]) -> None:
        """Choose the next token of each of the rows."""
        best_B = logits_BV.argmax(1).tolist()
        for k, row in enumerate(rows):
            prompt = row.prompt
            token = best_B[k] if prompt.temperature == 0 else sampled(logits_BV[k], prompt)
            row.written.append(token)

    def _hand_over(self) -> None:
        """Let texts that have ended go, and tell who asked for them."""
        ended = [row for row in self.rows if self._ended(row)]
        for row in ended:
            place = self.rows.index(row)
            self._window.remove(place)
            self.rows[place] = self.rows[-1]
            self.rows.pop()
            stopped = row.written[-1] in self.model.ends
            tokens = row.written[:-1] if stopped else row.written
            self.pace.texts, self.pace.written = self.pace.texts + 1, self.pace.written + len(row.written)
            text = Written(self.model.decode(tokens), "stop" if stopped else "length", len(row.written))
            with suppress(InvalidStateError):  # cancelled meanwhile
                row.done(text)

    def _ended(self, row: Row) -> bool:
        limit = min(row.prompt.most, self.model.longest - len(row.prompt.tokens))
        return row.written[-1] in self.model.ends or len(row.written) >= limit or row.prompt.cancelled()


def sampled(logits_V: Tensor, prompt: Prompt) -> int:
    """Draw a token by temperature among the most probable ones, which together have `top_p`."""
    chances_V = (logits_V / prompt.temperature).softmax(0)
    sorted_V, tokens_V = chances_V.sort(descending=True)
    before_V = sorted_V.cumsum(0) - sorted_V
    kept_V = torch.where(before_V < prompt.top_p, sorted_V, 0.0).cumsum(0)
    place = int(torch.searchsorted(kept_V, kept_V[-1] * prompt.uniforms()))
    return int(tokens_V[min(place, len(tokens_V) - 1)])
