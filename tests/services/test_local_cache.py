"""The cache of texts in progress, against lists that are kept for each row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from grasp_bench.services.local_cache import GROWTH, Layer, Window

MOST_ROWS = 5


def read(states: list[list[float]], shared: int) -> Layer:
    """A layer as a model leaves it: shared states, then the others', which end in the last column."""
    width = max(map(len, states)) - shared
    keys = torch.full((len(states), 1, shared + width, 1), -1.0)
    for row, own in zip(keys[:, 0, :, 0], states, strict=True):
        row[:shared], row[shared + width - (len(own) - shared) :] = Tensor(own[:shared]), Tensor(own[shared:])
    layer = Layer()
    layer.update(keys, -keys)
    return layer


def test_each_row_finds_what_it_wrote_whoever_comes_and_goes() -> None:
    rng = np.random.default_rng(0)
    window, rows, moved = Window(1, MOST_ROWS), list[list[float]](), 0
    for step in range(6 * GROWTH):
        free = MOST_ROWS - len(rows)
        if free and rng.random() < 0.2:
            shared = int(rng.integers(3))
            beginning = rng.random(shared).tolist()
            # Now and then a prompt that is longer than all that the window holds.
            longest = 2 * GROWTH if rng.random() < 0.1 else 20
            lengths = rng.integers(1, longest, rng.integers(1, free + 1))
            states = [beginning + rng.random(length).tolist() for length in lengths]
            window.join([read(states, shared)], shared, [len(each) for each in states])
            rows += states
        if rows and rng.random() < 0.1:
            place = int(rng.integers(len(rows)))
            window.remove(place)
            rows[place] = rows[-1]
            rows.pop()
        if not rows:
            continue
        before = window.end
        new = torch.rand(len(rows), 1, 1, 1)
        keys, values = window.cache().update(new, -new, 0)
        for row, number in zip(rows, new.flatten().tolist(), strict=True):
            row.append(number)
        assert torch.equal(keys, -values)
        assert keys.shape[2] == max(map(len, rows)), "columns before the earliest beginning are read"
        for row, found in zip(rows, keys[:, 0, :, 0], strict=True):
            np.testing.assert_allclose(found[len(found) - len(row) :], row, rtol=1e-6, err_msg=str(step))
        window.advance()
        moved += window.end <= before
    assert moved, "no idle columns were given up"
