"""Optimisers against torch's own on separate parameters."""

from __future__ import annotations

import subprocess
import sys

import torch

from grasp_bench.models.layers import RowTable
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")


def data(num_items: int = 40) -> Sequences:
    items = torch.randint(20, (60,), generator=torch.Generator().manual_seed(0))
    return Sequences(items, torch.arange(0, 61, 6), num_items)


def model() -> Recommender:
    torch.manual_seed(2)
    settings = Model(embedding_dim=8, max_len=6, dropout=0.0).effective()
    return Recommender.from_settings(settings, 10, 40, None)


def test_adam_on_one_vector_is_adam_on_each_parameter():
    settings = Training(weight_decay=0.01)
    ours, plain = model(), model()
    optimizer = optimizer_of(ours, settings)
    theirs = torch.optim.Adam(plain.parameters(), lr=settings.lr, weight_decay=0.01, fused=True)
    for each, own in ((ours, optimizer), (plain, theirs)):
        objective, draws = Objective.prepare(each, data(), 6, settings.loss), generator(CPU, 3)
        for users in (torch.tensor([1, 4]), torch.tensor([2, 9, 5]), torch.tensor([1, 3])):
            own.zero_grad()
            objective.step(users, draws).backward()
            own.step()
    for (name, value), expected in zip(ours.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=0, msg=name)


STEP = """
import sys, torch
from grasp_bench.training.optimizers import Adam
parameter = torch.nn.Parameter(torch.ones(3))
parameter.grad = torch.ones(3)
Adam([parameter], lr=0.5, weight_decay=0.0).step()
print(parameter.detach().round(decimals=3).tolist(), "torch._dynamo" in sys.modules)
"""


def test_a_step_of_adam_does_not_import_torchs_compiler():
    done = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=True)
    assert done.stdout == "[0.5, 0.5, 0.5] False\n"


def test_a_row_tables_gradient_is_that_of_an_embedding():
    torch.manual_seed(1)
    ours = RowTable(30, 4)
    plain = torch.nn.Embedding.from_pretrained(ours.weight.detach().clone(), freeze=False)
    rows, g = torch.randint(30, (5, 7)), torch.randn(5, 7, 4)
    for _ in range(2):  # the second time into what is there
        for table in (ours, plain):
            (table(rows) * g).sum().backward()
            (table(rows[0]) ** 2).sum().backward()
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


def test_sparse_adam_moves_the_items_that_a_step_met_and_no_others():
    settings = Training(optimizer="sparse_adam", loss={"kind": "sampled_softmax", "negatives": 3})
    ours = model()
    optimizer, draws = optimizer_of(ours, settings), generator(CPU, 3)
    before = ours.enhancer.table.weight.detach().clone()
    objective = Objective.prepare(ours, data(), 6, settings.loss)
    for _ in range(3):
        optimizer.zero_grad()
        objective.step(torch.tensor([1, 4]), draws).backward()
        optimizer.step()
    moved = (ours.enhancer.table.weight.detach() != before).any(1)
    met = set(data().items_flat.view(10, 6)[[1, 4]].flatten().tolist())
    assert met <= set(moved.nonzero().flatten().tolist())
    assert int(moved.sum()) <= len(met) + 9
    again = optimizer_of(model(), settings)
    again.load_state_dict(optimizer.state_dict())
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            assert torch.equal(
                torch.as_tensor(again.state_dict()["state"][index][name]), torch.as_tensor(value)
            )
