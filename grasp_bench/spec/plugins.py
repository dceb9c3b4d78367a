"""Register the plugins that a spec names, before it is validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.registry import Components
from grasp_bench.spec import model, patches, shape
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.locations import texts_of
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.tree import Entry, Node

NAMED: dict[str, Components[Any]] = {".model.backbone": BACKBONES, ".model.enhancer": ENHANCERS}


def use_plugins(tree: Node, overrides: Mapping[str, Entry], problems: Problems) -> None:
    """Import each plugin that is named as a backbone or an enhancer.

    Raises SpecError, with the place, for those that cannot be used.
    """
    new = failed = False
    texts = list(texts_of(tree))
    for key, entry in overrides.items():
        texts += [
            (f"{key}.{end}".rstrip("."), (key, *path), node) for end, path, node in texts_of(entry.node)
        ]
    for key, path, node in texts:
        registry = next((found for end, found in NAMED.items() if f".{key}".endswith(end)), None)
        if registry is None:
            continue
        try:
            new = registry.renew(node.value) or registry.plug_in(node.value) or new
        except UnknownNameError as error:
            problems.add(node.place, path, f"{error.message}; {error.hint}")
            failed = True
    if failed:  # keys and names of the plugin would be called unknown
        problems.raise_if_any()
    if new:
        follow_registries()


def follow_registries() -> None:
    """Let specs have the names and keys of the components that are registered now."""
    model.follow_registries()
    Experiment.model_rebuild(force=True)
    for known in (patches.adapter_of, shape.fields, shape.all_keys):
        known.cache_clear()
