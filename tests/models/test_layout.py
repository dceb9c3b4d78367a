from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from grasp_bench.models.backbones.attention_block import attend, attend_by_torch
from grasp_bench.models.layout import Layout, gather_sequences

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(LENGTHS)
def test_unpad_undoes_pad(lengths):
    layout = Layout(torch.tensor(lengths))
    x = torch.randn(sum(lengths), 3)
    assert torch.equal(layout.unpad(layout.pad(x)), x)
    assert layout.mask().sum().item() == sum(lengths)


@given(LENGTHS)
def test_a_packing_gives_each_token_a_slot_in_a_row_of_its_own_sequence(lengths):
    layout = Layout(torch.tensor(lengths))
    packing = layout.packing()
    assert len(packing.slot_T.unique()) == sum(lengths)
    assert float(packing.valid_P.sum()) == sum(lengths)
    x = torch.arange(float(sum(lengths)))[:, None]
    assert torch.equal(packing.unpad(packing.pad(x)), x)
    for tier in packing.tiers:
        inside = (packing.slot_T >= tier.first) & (packing.slot_T < tier.first + tier.rows * tier.width)
        row_T = (packing.slot_T[inside] - tier.first) // tier.width
        for sequence in layout.sequence_T[inside].unique():
            assert len(row_T[layout.sequence_T[inside] == sequence].unique()) == 1
    # Less than twice the tokens, and at most a row of each width on top.
    assert packing.slots < 2 * sum(lengths) + sum(tier.width for tier in packing.tiers)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("causal", [True, False])
@given(lengths=LENGTHS)
def test_attention_and_its_gradients_are_those_of_each_sequence_alone(lengths, causal, heads):
    """Both ways of computing it, against softmax(QKᵀ/√d) V of one sequence and head after another."""
    torch.manual_seed(1)
    x, g = torch.randn(sum(lengths), 12, requires_grad=True), torch.randn(sum(lengths), 4)
    mixed = []
    for own in x.split(lengths):
        parts = []
        for q, k, v in zip(*(part.chunk(heads, dim=1) for part in own.chunk(3, dim=1)), strict=True):
            logits = q @ k.T / math.sqrt(q.shape[1])
            if causal:
                logits = logits.masked_fill(torch.ones_like(logits).triu(1).bool(), -torch.inf)
            parts.append(logits.softmax(-1) @ v)
        mixed.append(torch.cat(parts, dim=1))
    expected = torch.cat(mixed)
    (expected_gradient,) = torch.autograd.grad(expected, x, g)
    for way in (attend, attend_by_torch):
        found = way(x[:, :4], x[:, 4:], Layout(torch.tensor(lengths)).packing(), heads, causal, 0.0)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        (gradient,) = torch.autograd.grad(found, x, g)
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


def test_dropped_weights_have_the_gradient_of_what_was_dropped():
    """With dropout: the function is linear in V, so its value at V is its gradient's product with V."""
    torch.manual_seed(2)
    lengths = torch.tensor([3, 20, 1])
    q, key = torch.randn(24, 4), torch.randn(24, 4)
    v = torch.randn(24, 4, requires_grad=True)
    torch.manual_seed(5)
    found = attend(q, torch.cat([key, v], 1), Layout(lengths).packing(), 2, True, 0.4)
    g = torch.randn_like(found)
    (gradient,) = torch.autograd.grad(found, v, g)
    torch.testing.assert_close((gradient * v).sum(), (found * g).sum(), rtol=1e-4, atol=1e-5)
    plain = attend(q, torch.cat([key, v], 1), Layout(lengths).packing(), 2, True, 0.0)
    assert not torch.allclose(found, plain)


def test_gather_takes_the_named_slices():
    index, layout = gather_sequences(torch.tensor([5, 0]), torch.tensor([2, 3]))
    assert index.tolist() == [5, 6, 0, 1, 2]
    assert layout.position_T.tolist() == [0, 1, 0, 1, 2]
    assert layout.last_B.tolist() == [1, 4]


@given(LENGTHS)
def test_steps_are_those_of_torch(lengths):
    layout = Layout(torch.tensor(lengths))
    x = torch.arange(float(sum(lengths)))[:, None]
    order, batch_sizes = layout.steps()
    expected = pack_padded_sequence(
        layout.pad(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    assert torch.equal(batch_sizes, expected.batch_sizes)
    for found, theirs in zip(
        x[order].split(batch_sizes.tolist()), expected.data.split(batch_sizes.tolist()), strict=True
    ):
        assert set(found.flatten().tolist()) == set(theirs.flatten().tolist())
