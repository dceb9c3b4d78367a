"""Register the plugins that a spec names, before it is validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from grasp_bench.components import (
    BACKBONES,
    CONTROLS,
    DATASETS,
    ENCODERS,
    ENHANCERS,
    LOSSES,
    METRICS,
    TEXT_PROVIDERS,
)
from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.registry import Components
from grasp_bench.spec import choices, dataset, model, patches, shape, training
from grasp_bench.spec.controls import SHUFFLED
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.locations import texts_of
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.section_fields import replace_types
from grasp_bench.spec.tree import Entry, Node

# Ends of the dotted keys that name a component; patches and lists of compared values add a beginning.
NAMED: dict[str, Components[Any]] = {
    ".model.backbone": BACKBONES,
    ".model.enhancer": ENHANCERS,
    ".encoder.kind": ENCODERS,
    ".text.users.provider": TEXT_PROVIDERS,
    ".text.items.provider": TEXT_PROVIDERS,
    ".training.loss": LOSSES,
    ".training.loss.kind": LOSSES,
    ".controls": CONTROLS,
    ".dataset.source": DATASETS,
    ".dataset.protocol.metrics": METRICS,
}


def use_plugins(tree: Node, overrides: Mapping[str, Entry], problems: Problems) -> None:
    """Import each plugin that is named where a component may be.

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


def use_plugin(registry: Components[Any], name: str) -> None:
    """Register one plugin, as a worker must that has read no spec."""
    if registry.plug_in(name):
        follow_registries()


def use_latest_plugin(registry: Components[Any], name: str) -> None:
    """Register one plugin with its source as it is now: a cell of a notebook may have changed it."""
    if registry.renew(name) or registry.plug_in(name):
        follow_registries()


def follow_registries() -> None:
    """Let specs have the names and keys of the components that are registered now."""
    model.follow_registries()
    training.follow_registries()
    dataset.follow_registries()
    choices.follow_registries()
    one: Any = Literal.__getitem__((*CONTROLS, SHUFFLED))
    replace_types(Experiment, {"encoder": choices.any_of(ENCODERS), "controls": tuple[one, ...] | None})
    for known in (patches.adapter_of, shape.fields, shape.all_keys):
        known.cache_clear()
