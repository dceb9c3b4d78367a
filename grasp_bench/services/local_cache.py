"""Keys and values of texts in progress, written in place: rows come and go without copies of the others.

All rows write to the same column, and a prompt that joins is put so that it ends there. So rows need no
common beginning. Columns before the earliest beginning are not read. Shape suffixes: N rows in use, K rows
that join, G key-value heads, D width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

GROWTH = 128  # columns that are allocated, or given up, together


class Layer(DynamicLayer):
    """Keys and values (rows, G, columns, D) of one layer, which grow by what the model reads."""

    keys: Any
    values: Any


class Columns(Layer):
    """Keys and values of which `window` is in use; a new column is written in place."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write the states (N, G, 1, D) of new tokens; return those of the window and the new column."""
        rows, start, end = len(key_states), self.window.start, self.window.end
        self.keys[:rows, :, end] = key_states[:, :, 0]
        self.values[:rows, :, end] = value_states[:, :, 0]
        return self.keys[:rows, :, start : end + 1], self.values[:rows, :, start : end + 1]

    def get_seq_length(self) -> int:
        """Return the columns before the new tokens."""
        return self.window.end - self.window.start

    def reserve(self, rows: int, columns: int, like: Tensor) -> None:
        """Have room for so many rows and columns, of the type and heads of these states."""
        if not self.is_initialized:
            self.lazy_initialization(like, like)
            self.keys = self.values = like.new_zeros(0, like.shape[1], 0, like.shape[3])
        old_rows, heads, old_columns, width = self.keys.shape
        for name, old in (("keys", self.keys), ("values", self.values)):
            whole = like.new_zeros(rows, heads, columns, width)  # what the mask hides must be finite
            whole[:old_rows, :, :old_columns] = old
            setattr(self, name, whole)


class Window:
    """A cache of which rows [0, len(firsts)) and columns [start, end) are in use; `end` is written next.

    `firsts` are the columns where prompts begin.
    """

    def __init__(self, layers: int, most_rows: int) -> None:
        self.firsts: list[int] = []
        self.end = 0
        self._most_rows = most_rows
        self._rows = self._columns = 0  # allocated
        self._layers = [Columns(self) for _ in range(layers)]

    @property
    def start(self) -> int:
        """The first column that a row uses."""
        return min(self.firsts, default=self.end)

    def cache(self) -> Cache:
        """Return the cache as a model takes it for one new token of each row."""
        return Cache(layers=list(self._layers))

    def join(self, read: Sequence[Layer], shared: int, lengths: Sequence[int]) -> None:
        """Put prompts below the rows, ending in the present column.

        Args:
            read: their states (K, G, shared + width, D) by layer: first of `shared` tokens with which all
                begin, then of the rest of each, which end in the last column.
            lengths: tokens of each prompt, shared ones included.
        """
        rows, longest = len(self.firsts), max(lengths)
        if not rows:
            self.end = longest
        self._reserve(rows + len(lengths), max(self.end, longest) + 1, read[0])
        if longest > self.end:
            self._move(longest - self.end)
        firsts = [self.end - length for length in lengths]
        for layer, new in zip(self._layers, read, strict=True):
            for whole, states in ((layer.keys, new.keys), (layer.values, new.values)):
                joined = whole[rows : rows + len(lengths)]
                joined[:, :, self.end - states.shape[2] + shared : self.end] = states[:, :, shared:]
                for k, first in enumerate(firsts if shared else []):
                    joined[k, :, first : first + shared] = states[k, :, :shared]
        self.firsts += firsts

    def remove(self, place: int) -> None:
        """Let a row go; the last row takes its place."""
        start, last = self.start, len(self.firsts) - 1
        if place < last:
            for layer in self._layers:
                for whole in (layer.keys, layer.values):
                    whole[place, :, start : self.end] = whole[last, :, start : self.end]
        self.firsts[place] = self.firsts[last]
        del self.firsts[last]

    def advance(self) -> None:
        """Go to the next column."""
        self.end += 1
        if self.end == self._columns:
            if self.start >= GROWTH:
                self._move(-self.start)
            else:
                self._reserve(len(self.firsts), self.end + 1, self._layers[0])

    def _reserve(self, rows: int, columns: int, like: Layer) -> None:
        if rows > self._rows:
            self._rows = min(self._most_rows, max(rows, 2 * self._rows))
        elif columns <= self._columns:
            return
        if columns > self._columns:
            self._columns = columns + GROWTH
        for layer in self._layers:
            layer.reserve(self._rows, self._columns, like.keys)

    def _move(self, by: int) -> None:
        """Move the columns in use to the right, or to the left if negative."""
        rows, start, end = len(self.firsts), self.start, self.end
        for layer in self._layers:
            for whole in (layer.keys, layer.values):
                whole[:rows, :, start + by : end + by] = whole[:rows, :, start:end].clone()
        self.firsts = [first + by for first in self.firsts]
        self.end += by
