"""Check before hours are spent what would fail later; `doctor` prints the checks of the whole machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grasp_bench.core import atomic, machine
from grasp_bench.core.errors import SpecError, StoreError
from grasp_bench.core.integrity import SIDECAR
from grasp_bench.core.store import Store
from grasp_bench.plan.nodes import Node, asks_service, section_name, service_of
from grasp_bench.spec.locations import data_root
from grasp_bench.spec.service import Service

SPARE_MB = 200.0  # free space that a disk must keep beyond the estimate


def check(store: Store, results: Path, disk_mb: float) -> None:
    """Raise StoreError when store or results cannot be written or the disk is too small for them."""
    store.check_writable()
    try:
        atomic.require_writable(results)
    except OSError as error:
        raise StoreError(
            f"{results}: cannot be written ({error.strerror or error})", hint="pass --results"
        ) from None
    free = shutil.disk_usage(store.root).free / 1e6
    if free < SPARE_MB + disk_mb:
        raise StoreError(
            f"{store.root}: {free:,.0f} MB free, about {SPARE_MB + disk_mb:,.0f} MB needed",
            hint="free the disk or pass --store",
        )


def check_prices(nodes: Iterable[Node], sources: Mapping[str, str]) -> None:
    """Raise SpecError for every limit in dollars on a service of unknown price.

    `sources` maps dotted keys to their places, as in `LoadedSpec`.
    """
    problems = []
    for name, service in _services_of(nodes):
        from grasp_bench.services.prices import price_of

        if service.max_cost_usd is not None and price_of(service) is None:
            key = f"{name}.max_cost_usd"
            place = sources.get(key, "default")
            problems.append(
                f"{'' if place == 'default' else f'{place} '}{key}: cannot be kept, the price of "
                f"'{service.model}' is not known; set {name}.price, or max_tokens_total instead"
            )
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))


def check_keys(nodes: Iterable[Node]) -> None:
    """Raise ServiceError naming the variable when a service's key is missing; imports litellm (2 s)."""
    for _, service in _services_of(nodes):
        from grasp_bench.services.client import open_litellm
        from grasp_bench.services.credentials import find_credentials

        find_credentials(service, open_litellm(), Path.cwd())


def absent_keys(nodes: Iterable[Node]) -> list[str]:
    """Return a line for each key that seems to be missing, without importing litellm."""
    lines = []
    for name, service in _services_of(nodes):
        from grasp_bench.services.credentials import is_set, variable_of

        variable = variable_of(service)
        if variable is not None and not is_set(variable, Path.cwd()):
            lines.append(f"{name}: {variable} is set neither in the environment nor in .env: `run` needs it")
    return list(dict.fromkeys(lines))


def _services_of(nodes: Iterable[Node]) -> Iterator[tuple[str, Service]]:
    """Yield the section name and settings of each service that the nodes ask."""
    for node in nodes:
        if asks_service(node):
            section = service_of(node)
            known = {key: section[key] for key in Service.model_fields if key in section}
            yield section_name(node), Service.model_validate(known)


DISTRIBUTION = "grasp-bench"
DEVELOPERS = ("dev", "docs")  # extras that users do not need
OLDEST_PYTHON = (3, 11)
LOW_DISK_GIB = 2
LOW_MEMORY_GIB = 4
GIB = 1 << 30
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    state: Literal["ok", "note", "broken"]
    subject: str
    text: str


def run_checks(store: Path) -> list[Finding]:
    """Run every check; a check that raises becomes a finding."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _packages, _torch, _cpu, _services, _extras, _data, lambda: _store(store), _memory,
    )  # fmt: skip
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.extend(check())
        except Exception as error:  # a broken installation may raise anything
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
    required = requirements()[""]
    missing = [name for name in required if _version(name) is None]
    if missing:
        yield Finding("broken", "packages", f"missing: {', '.join(missing)}; pip install {DISTRIBUTION}")
    else:
        yield Finding("ok", "packages", f"all {len(required)} required ones are installed")


def requirements() -> dict[str, list[str]]:
    """Return the distributions that grasp-bench requires, by extra; "" holds those it always needs."""
    found: dict[str, list[str]] = {"": []}
    for line in importlib.metadata.requires(DISTRIBUTION) or ():
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        name = re.match(r"[\w.-]+", line)
        if name is not None:
            found.setdefault(extra[1] if extra else "", []).append(name[0])
    return found


def _torch() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        return  # reported under packages
    import torch

    yield Finding("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Finding("ok", "device", f"cuda: {', '.join(names)}")
    else:
        yield Finding("ok", "device", "cpu (no CUDA device)")


def _cpu() -> Iterator[Finding]:
    there = machine.features()
    known = [flag for flag in CPU_FLAGS if flag in there]
    native = machine.has_bfloat16()
    yield Finding(
        "ok",
        "cpu",
        f"{machine.describe('cpu')}; {machine.cores()} usable; {' '.join(known) or 'features unknown'}",
    )
    yield Finding("ok" if native else "note", "bfloat16", "native" if native else "emulated: float32 is used")


def _services() -> Iterator[Finding]:
    """Say which keys are set, never their values, without importing litellm (2 s)."""
    from grasp_bench.services.credentials import KEY_VARIABLES, is_set

    if importlib.util.find_spec("litellm") is None:
        return  # reported under packages
    yield Finding("ok", "litellm", _version("litellm") or "version unknown")
    found = {name: is_set(name, Path.cwd()) for name in KEY_VARIABLES.values()}
    there = ", ".join(name for name in found if found[name]) or "none"
    absent = ", ".join(name for name in found if not found[name]) or "none"
    yield Finding("ok", "keys", f"set: {there}; not set: {absent}")


def _extras() -> Iterator[Finding]:
    for extra, names in sorted(requirements().items()):
        if extra in ("", *DEVELOPERS):
            continue
        versions = {name: _version(name) for name in names}
        if None in versions.values():
            yield Finding("note", f"extra {extra}", f"not installed: pip install '{DISTRIBUTION}[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}", ", ".join(f"{name} {versions[name]}" for name in names))


def _version(name: str) -> str | None:
    """Return the version of an installed distribution, None when it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


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
        hint = "pass --store or set GRASP_BENCH_STORE"
        yield Finding("broken", "store", f"{there}: cannot be written ({error.strerror}); {hint}")
        return
    yield Finding("ok", "store", f"{there}, writable")
    yield from _artefacts(store)
    free = shutil.disk_usage(folder).free / GIB
    yield Finding("ok" if free >= LOW_DISK_GIB else "note", "disk", f"{free:.1f} GiB free at the store")


def _artefacts(root: Path) -> Iterator[Finding]:
    """Report artefacts without checksums, and damaged ones that were set aside; no file is opened."""
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
