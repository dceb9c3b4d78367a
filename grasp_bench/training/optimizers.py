"""Adam for all parameters, or for all except the item tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.layers import RowTable
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.training import Training


class Adam:
    """`torch.optim.Adam(..., fused=True)` with its defaults, bit for bit.

    To make torch's own imports torch's compiler, which takes longer than a short training.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.lr, self.weight_decay = lr, weight_decay
        self.slots: list[dict[str, Tensor]] = [{} for _ in self.parameters]

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Clear gradients in place, or drop them."""
        for parameter in self.parameters:
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient."""
        moved = [k for k, parameter in enumerate(self.parameters) if parameter.grad is not None]
        for k in moved:
            if not self.slots[k]:
                own = self.parameters[k]
                self.slots[k] = {
                    "step": torch.zeros((), dtype=torch.float32, device=own.device),
                    "exp_avg": torch.zeros_like(own),
                    "exp_avg_sq": torch.zeros_like(own),
                }
        adam(
            [self.parameters[k] for k in moved],
            [cast(Tensor, self.parameters[k].grad) for k in moved],
            [self.slots[k]["exp_avg"] for k in moved],
            [self.slots[k]["exp_avg_sq"] for k in moved],
            [],
            [self.slots[k]["step"] for k in moved],
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=self.lr,
            weight_decay=self.weight_decay, eps=1e-8, maximize=False,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """The slots of each parameter that was ever moved, by its number."""
        state = {k: slots for k, slots in enumerate(self.slots) if slots}
        return {"state": state, "param_groups": [{"params": list(range(len(self.parameters)))}]}

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Restore a copy of a `state_dict`."""
        self.slots = [
            {
                slot: torch.as_tensor(value, dtype=torch.float32, device=parameter.device).clone()
                for slot, value in given["state"].get(k, {}).items()
            }
            for k, parameter in enumerate(self.parameters)
        ]


class Optimizer:
    """One or two optimisers, stepped together."""

    def __init__(self, *optimizers: Adam | torch.optim.SparseAdam) -> None:
        self.optimizers = optimizers

    def zero_grad(self) -> None:
        """Clear gradients in place: `RowTable` adds into them. Sparse ones are dropped."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=isinstance(optimizer, torch.optim.SparseAdam))

    def step(self) -> None:
        """Update the parameters."""
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each parameter, numbered across optimisers, for `load_state_dict`."""
        state: dict[int, Any] = {}
        for optimizer in self.optimizers:
            first = len(state)
            state |= {first + index: slots for index, slots in optimizer.state_dict()["state"].items()}
        return {"state": state}

    def load_state_dict(self, given: dict[str, Any]) -> None:
        """Restore a `state_dict`; its numbers may be tensors."""
        first = 0
        for optimizer in self.optimizers:
            own = optimizer.state_dict()
            count = sum(len(group["params"]) for group in own["param_groups"])
            state = {k: given["state"][first + k] for k in range(count) if first + k in given["state"]}
            if isinstance(optimizer, torch.optim.SparseAdam):  # counts in Python, not in a tensor's precision
                state = {k: {**slots, "step": int(slots["step"])} for k, slots in state.items()}
            optimizer.load_state_dict({**own, "state": state})
            first += count


def optimizer_of(recommender: Recommender | WholeModel, settings: Training) -> Optimizer:
    """Build the optimiser that `training.optimizer` names.

    `adam` decays the moments of every item at every step. `sparse_adam` (torch's `SparseAdam`) does not touch
    items outside the batch, nor their moments: steps are cheaper, and the trained model differs.
    """
    owner = recommender if isinstance(recommender, WholeModel) else recommender.enhancer
    tables = [m for m in owner.modules() if isinstance(m, RowTable)]
    apart = {id(table.weight) for table in tables}
    others = [p for p in recommender.parameters() if p.requires_grad and id(p) not in apart]
    dense: list[nn.Parameter] = [one_vector(others)] if others else []
    if settings.optimizer == "sparse_adam":
        for table in tables:
            table.sparse = True
        rows = [torch.optim.SparseAdam([table.weight for table in tables], lr=settings.lr)] if tables else []
    else:
        dense += [cast(nn.Parameter, table.weight) for table in tables]
        rows = []
    return Optimizer(Adam(dense, lr=settings.lr, weight_decay=settings.weight_decay), *rows)


def one_vector(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Store parameters and their gradients in one vector each, and make them views of it.

    The optimiser then updates one parameter instead of dozens, each with an overhead as large as its
    arithmetic.
    """
    whole = nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
    whole.grad = torch.zeros_like(whole)
    values = whole.detach().split([p.numel() for p in parameters])
    gradients = whole.grad.split([p.numel() for p in parameters])
    for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
        parameter.data = value.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    return whole
