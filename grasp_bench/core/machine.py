"""Describe the machine without importing torch, import optional libraries, pause garbage collection."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from grasp_bench.core.errors import GraspBenchError, MissingExtraError

CPUINFO = Path("/proc/cpuinfo")
# Linux names of bfloat16 instructions: Intel and AMD, then ARM.
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def features() -> frozenset[str]:
    """Return the names of instruction sets; empty without /proc/cpuinfo."""
    return frozenset((_field(CPUINFO, "(?:flags|Features)") or "").split())


def has_bfloat16() -> bool:
    """Return True when the CPU multiplies bfloat16 natively; False on systems other than Linux."""
    return not BFLOAT16.isdisjoint(features())


NVIDIA = Path("/proc/driver/nvidia/gpus")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """Return the CPU cores this process may use, by affinity and container quota."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
        allowed = min(allowed, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        pass
    return max(1, allowed)


def gpus() -> list[str]:
    """Return the devices ("cuda:0", …) that the NVIDIA driver and the installed torch both support."""
    count = len(list(NVIDIA.iterdir())) if NVIDIA.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        count = min(count, len([name for name in visible.split(",") if name.strip() not in ("", "-1")]))
    return [f"cuda:{index}" for index in range(count)] if count and _torch_has_cuda() else []


def devices(choice: str) -> list[str]:
    """Return the devices for "auto", "cpu" or "cuda"; GraspBenchError when CUDA is absent."""
    found = [] if choice == "cpu" else gpus()
    if choice == "cuda" and not found:
        raise GraspBenchError(
            "--device cuda: no NVIDIA GPU that the installed torch can use",
            hint="install a CUDA build of torch, or use --device cpu",
        )
    return found or ["cpu"]


def describe(device: str) -> str:
    """Describe the machine in one line, such as "2 × AMD EPYC 7763, CPU"."""
    model = _field(CPUINFO, "model name") or platform.processor() or platform.machine()
    return f"{cores()} × {model}, {_gpu_model(device) if device.startswith('cuda') else 'CPU'}"


def load() -> float | None:
    """Return the load average of the last five minutes; None where there is none."""
    try:
        return os.getloadavg()[1]
    except (AttributeError, OSError):  # Windows, or not available
        return None


def _field(path: Path, name: str) -> str | None:
    """Return the first value of `name: value` in a file of the kernel; None without the file or the name."""
    try:
        found = re.search(rf"^{name}\s*:\s*(.+)$", path.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return found.group(1).strip() if found else None


def _gpu_model(device: str) -> str:
    folders = sorted(NVIDIA.iterdir()) if NVIDIA.is_dir() else []
    index = int(device.partition(":")[2] or 0)
    model = _field(folders[index] / "information", "Model") if index < len(folders) else None
    return model or device


def _torch_has_cuda() -> bool:
    """Read torch's CUDA version from torch/version.py, which is faster than an import."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text()
    except OSError:
        return False
    return re.search(r"^cuda\b[^=]*=\s*['\"]", text, re.MULTILINE) is not None


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module or raise MissingExtraError naming the extra to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.split(".")[0] == error.name.split(".")[0]:
            raise MissingExtraError(module, extra) from None
        raise


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the collector in the block; restore its setting afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
