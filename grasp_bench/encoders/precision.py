"""Choose a device's arithmetic, quantise linear layers to int8, and measure its effect on neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.machine import has_bfloat16


def resolve_dtype(dtype: str, device: str) -> str:
    """Resolve `auto` to bfloat16 on CUDA and on CPUs with instructions for it, else to float32.

    The default must keep neighbours: MiniLM keeps 0.99 of float32's ten nearest in bfloat16
    (benchmarks/results/encoding_overlap.json, CPU) and 0.93 in int8, which therefore must be asked for.
    Without those instructions bfloat16 is emulated and several times slower. Raises GraspBenchError for int8
    on a device other than the CPU.
    """
    if dtype == "int8" and device != "cpu":
        raise GraspBenchError(
            f"encoder.dtype: int8 runs on the CPU, not on {device}", hint="use bfloat16 there: dtype: auto"
        )
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16"
    return "bfloat16" if device == "cpu" and has_bfloat16() else "float32"


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)


LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer with weights (out, in) in int8; input and output stay floats.

    Weights are rounded per output channel and inputs per token, both symmetric to ±127, and multiplied as
    integers. Scales per token, unlike torch's per batch, make a vector independent of its batch.
    """

    weight_IO: Tensor
    scale_O: Tensor
    bias_O: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight_OI, scale_O1 = _rounded(layer.weight.detach().float())
        self.register_buffer("weight_IO", weight_OI.t().contiguous())
        self.register_buffer("scale_O", scale_O1[:, 0])
        self.register_buffer("bias_O", None if layer.bias is None else layer.bias.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, in) to (…, out), in the dtype of x."""
        x_TI, scale_T1 = _rounded(x.reshape(-1, x.shape[-1]).float())
        y_TO = torch._int_mm(x_TI, self.weight_IO).float() * (scale_T1 * self.scale_O)
        if self.bias_O is not None:
            y_TO += self.bias_O
        return y_TO.reshape(*x.shape[:-1], -1).to(x.dtype)


def quantise_linear_layers(model: nn.Module) -> int:
    """Replace every linear layer inside `model` by an Int8Linear; return their number."""
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, Int8Linear(child))
                replaced += 1
    return replaced


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows as int8 and their scales (rows, 1)."""
    scale_R1 = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / LARGEST
    return torch.round(rows / scale_R1).to(torch.int8), scale_R1


NEIGHBOURS = 10
SAMPLE = 1000
BLOCK_ROWS = 1024


def neighbour_overlap(first: np.ndarray, second: np.ndarray, count: int = NEIGHBOURS) -> float:
    """Return the mean share of each row's `count` nearest by cosine that (n, D) `first` and `second` share.

    With `count` or fewer other rows all are neighbours. Raises GraspBenchError for fewer than two rows.
    """
    rows = len(first)
    if rows < 2:
        raise GraspBenchError("neighbours of a single text: there are none")
    count = min(count, rows - 1)
    shared = 0
    units = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (first, second)]
    for start in range(0, rows, BLOCK_ROWS):
        near_a, near_b = (_nearest(unit, start, count) for unit in units)
        shared += int((near_a[:, :, None] == near_b[:, None, :]).sum())
    return shared / (rows * count)


def _nearest(unit: np.ndarray, start: int, count: int) -> np.ndarray:
    """Return the rows (block, count) nearest to those from `start` on, without themselves."""
    similarities = unit[start : start + BLOCK_ROWS] @ unit.T
    block = np.arange(len(similarities))
    similarities[block, start + block] = -np.inf
    return np.argpartition(-similarities, count - 1, axis=1)[:, :count]


def sampled_overlap(
    texts: Sequence[str], vectors: np.ndarray, encode: Callable[[Sequence[str]], np.ndarray]
) -> dict[str, Any]:
    """Compare the neighbours by `vectors` (n, D) with those by `encode` on a sample of the texts.

    The sample consists of distinct texts and depends on the texts alone, so reruns agree.
    """
    row_of = {text: row for row, text in enumerate(texts)}
    distinct = sorted(row_of)
    if len(distinct) > SAMPLE:
        chosen = np.random.default_rng(0).choice(len(distinct), size=SAMPLE, replace=False)
        distinct = [distinct[k] for k in np.sort(chosen)]
    if len(distinct) < 2:
        return {}
    overlap = neighbour_overlap(vectors[[row_of[text] for text in distinct]], encode(distinct))
    share = {"with": "float32", "k": NEIGHBOURS, "texts": len(distinct), "share": round(overlap, 4)}
    return {"neighbour_overlap": share}
