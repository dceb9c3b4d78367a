"""Find what would fail later, before hours are spent: disk, permissions, prices, keys."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.errors import SpecError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.plan.nodes import Node, asks_service, section_name, service_of
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
    for name, service in _services(nodes):
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
    for _, service in _services(nodes):
        from grasp_bench.services.client import open_litellm
        from grasp_bench.services.credentials import find_credentials

        find_credentials(service, open_litellm(), Path.cwd())


def absent_keys(nodes: Iterable[Node]) -> list[str]:
    """Return a line for each key that seems to be missing, without importing litellm."""
    lines = []
    for name, service in _services(nodes):
        from grasp_bench.services.credentials import is_set, variable_of

        variable = variable_of(service)
        if variable is not None and not is_set(variable, Path.cwd()):
            lines.append(f"{name}: {variable} is set neither in the environment nor in .env: `run` needs it")
    return list(dict.fromkeys(lines))


def _services(nodes: Iterable[Node]) -> Iterator[tuple[str, Service]]:
    """Yield the section name and settings of each service that the nodes ask."""
    for node in nodes:
        if asks_service(node):
            section = service_of(node)
            known = {key: section[key] for key in Service.model_fields if key in section}
            yield section_name(node), Service.model_validate(known)
