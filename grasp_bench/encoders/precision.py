"""Which arithmetic a device does natively."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Linux names of the instructions that multiply bfloat16: Intel and AMD, then ARM.
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
CPUINFO = Path("/proc/cpuinfo")


def resolve_dtype(dtype: str, device: str) -> str:
    """`auto` is bfloat16 on CUDA and on CPUs with instructions for it, else float32.

    Without those instructions bfloat16 is emulated and several times slower.
    """
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16"
    return "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """True when Linux says so; other systems count as without."""
    if platform.system() != "Linux" or not CPUINFO.is_file():
        return False
    return not BF16_FLAGS.isdisjoint(CPUINFO.read_text(errors="replace").split())


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
