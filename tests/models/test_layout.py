from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from grasp_bench.models.backbones.attention_block import SelfAttention
from grasp_bench.models.layout import Layout, gather_sequences

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(LENGTHS)
def test_unpad_undoes_pad(lengths):
    layout = Layout(torch.tensor(lengths))
    x = torch.randn(sum(lengths), 3)
    assert torch.equal(layout.unpad(layout.pad(x)), x)
    assert layout.mask().sum().item() == sum(lengths)


@given(LENGTHS)
def test_buckets_hold_every_token_once_and_waste_less_than_half_beyond_eight(lengths):
    layout = Layout(torch.tensor(lengths))
    tokens = torch.cat([tokens for tokens, _ in layout.by_length()])
    assert sorted(tokens.tolist()) == list(range(sum(lengths)))
    for index, bucket in layout.by_length():
        assert len(index) == int(bucket.lengths_B.sum())
        assert bucket.longest <= 8 or int(bucket.lengths_B.min()) * 2 >= bucket.longest


def test_gather_takes_the_named_slices():
    index, layout = gather_sequences(torch.tensor([5, 0]), torch.tensor([2, 3]))
    assert index.tolist() == [5, 6, 0, 1, 2]
    assert layout.position_T.tolist() == [0, 1, 0, 1, 2]
    assert layout.last_B.tolist() == [1, 4]


def test_ascending_sequences_are_cut_into_slices_that_cover_them_in_order():
    lengths = torch.tensor([1, 1, 2, 2, 2, 12, 13, 14, 30, 31])
    buckets = Layout(lengths, ascending=True).by_length()
    first = 0
    for tokens, bucket in buckets:
        assert tokens == slice(first, first + int(bucket.lengths_B.sum()))
        first = tokens.stop
    assert first == int(lengths.sum())
    assert torch.equal(torch.cat([bucket.lengths_B for _, bucket in buckets]), lengths)
    assert [bucket.is_rectangle for _, bucket in buckets] == [True, True, True, False, False]


def test_attention_is_the_same_for_sequences_that_lie_in_order():
    torch.manual_seed(1)
    lengths = torch.tensor([1, 3, 3, 3, 13, 14, 17])
    x = torch.randn(int(lengths.sum()), 8)
    for causal in (True, False):
        attention = SelfAttention(8, 2, 0.0, causal)
        torch.testing.assert_close(
            attention(x, x, Layout(lengths, ascending=True)), attention(x, x, Layout(lengths)),
            rtol=1e-5, atol=1e-6,
        )  # fmt: skip


@given(LENGTHS)
def test_packing_is_that_of_torch(lengths):
    layout = Layout(torch.tensor(lengths))
    x = torch.arange(float(sum(lengths)))[:, None]
    order, batch_sizes = layout.packing()
    expected = pack_padded_sequence(
        layout.pad(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    assert torch.equal(batch_sizes, expected.batch_sizes)
    for found, theirs in zip(
        x[order].split(batch_sizes.tolist()), expected.data.split(batch_sizes.tolist()), strict=True
    ):
        assert set(found.flatten().tolist()) == set(theirs.flatten().tolist())
