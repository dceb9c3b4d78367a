"""Which arithmetic a device does natively."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.processor import has_bfloat16


def resolve_dtype(dtype: str, device: str) -> str:
    """`auto` is bfloat16 on CUDA and on CPUs with instructions for it, else float32.

    The default must leave neighbours where they are: MiniLM keeps 0.99 of float32's ten nearest in bfloat16
    (benchmarks/results/encoding_overlap.json, CPU), 0.93 in int8, which is why that is used by name only.
    Without those instructions bfloat16 is emulated and several times slower. int8 is for CPUs only:
    GraspBenchError elsewhere.
    """
    if dtype == "int8" and device != "cpu":
        raise GraspBenchError(
            f"encoder.dtype: int8 runs on the CPU, not on {device}", mend="use bfloat16 there: dtype: auto"
        )
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16"
    return "bfloat16" if device == "cpu" and has_bfloat16() else "float32"


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
