"""Methods: cells that differ in nothing but the seed, and the names that boards print for them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

SOURCE = "dataset.source"  # the compared key that `dataset` mostly tells


@dataclass(frozen=True)
class Method:
    """Coordinates of a cell without its seed; noise and variant as text, so that methods are hashable.

    What no model of ours stands behind, a control or an imported run, has a name instead of a backbone and
    an enhancer. `kind` is trained, control or imported.
    """

    dataset: str
    backbone: str | None
    enhancer: str | None
    ablation: str | None = None
    noise: str | None = None
    variant: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    kind: str = "trained"

    @property
    def short(self) -> str:
        """`enhancer` or `enhancer/ablation`, or the name."""
        if self.name or not self.enhancer:
            return self.name or ""
        return f"{self.enhancer}/{self.ablation}" if self.ablation else self.enhancer

    @property
    def rate(self) -> float:
        """The rate of its noise; 0 without any."""
        return float(self.noise.partition(" ")[0]) if self.noise else 0.0

    @property
    def noise_kind(self) -> str:
        """Its noise but for the rate; empty without any."""
        return self.noise.partition(" ")[2] if self.noise else ""

    @property
    def clean(self) -> Method:
        """The same method without noise."""
        return replace(self, noise=None)


@dataclass(frozen=True)
class NamePattern:
    """A method as a hypothesis names it; no backbone means any."""

    backbone: str | None
    short: str

    @classmethod
    def parse(cls, name: str) -> NamePattern:
        """Read `grasp`, `grasp/softmax` or `sasrec+grasp/softmax`."""
        backbone, plus, short = name.partition("+")
        return cls(backbone, short) if plus else cls(None, name)

    def fits(self, method: Method) -> bool:
        """True when the method is one that the name stands for."""
        return self.short == method.short and self.backbone in (None, method.backbone)


def method_of(identity: Mapping[str, Any]) -> Method:
    """Make a Method of the identity keys of cell.json; absent ablation, noise and variant mean none."""
    variant = identity.get("variant") or {}
    return Method(
        dataset=str(identity["dataset"]),
        backbone=identity["backbone"],
        enhancer=identity["enhancer"],
        ablation=identity.get("ablation") or None,
        noise=_noise_text(identity.get("noise")),
        variant=tuple(sorted((key, _value_text(value)) for key, value in variant.items())),
        name=identity.get("name"),
        kind=identity.get("kind") or "trained",
    )


def label_methods(methods: Collection[Method]) -> dict[Method, str]:
    """Name each method by what tells it from the others: `grasp/softmax`, `sasrec+llmesr (noise=0.2)`."""
    several_backbones = len({method.backbone for method in methods} - {None}) > 1
    several_datasets = len({method.dataset for method in methods}) > 1
    touched = touched_by_noise(methods)
    one_kind = len({method.noise_kind for method in methods if method.noise}) == 1
    varying = _varying_keys(methods)
    if several_datasets and _dataset_tells_source(methods):
        varying = [key for key in varying if key != SOURCE]
    says_dataset = several_datasets and not _keys_tell_dataset(methods, varying)
    labels = {}
    for method in methods:
        values = dict(method.variant)
        details = [f"{_last_part(key, varying)}={values[key]}" for key in varying if key in values]
        if method.clean in touched:
            details.append(
                f"noise={method.rate:g}" if one_kind or not method.noise else f"noise={method.noise}"
            )
        if says_dataset:
            details.append(f"dataset={method.dataset}")
        name = f"{method.backbone}+{method.short}" if several_backbones and method.backbone else method.short
        labels[method] = f"{name} ({', '.join(details)})" if details else name
    return labels


def touched_by_noise(methods: Collection[Method]) -> frozenset[Method]:
    """Methods, as they are without noise, that there are with noise too: others read nothing that is hit."""
    return frozenset(method.clean for method in methods if method.noise)


def hypothesis_pairs(
    better: str, than: str, labels: Mapping[Method, str], *, noise: float = 0.0
) -> list[tuple[Method, Method]]:
    """The pairs of methods that one declared hypothesis is about.

    A full label means that method alone. A short name that fits several methods (two backbones, two datasets)
    is asked of each: the two sides then agree in dataset and variant, and in the backbone unless both names
    give one; of several noise rates only `noise` is asked about. A key that one side's variant lacks made no
    difference to it, so it agrees with any value of the other; so does noise that one side does not notice,
    and all of a model with what has none.
    """
    left, right = _candidates(better, labels), _candidates(than, labels)
    if len(left) == 1 and len(right) == 1:
        return [(left[0], right[0])] if left[0] != right[0] else []
    free_backbone = "+" in better and "+" in than
    touched = touched_by_noise(labels)
    if " (" not in better + than:  # a label with details tells its rate
        left, right = (
            [m for m in side if m.rate == noise or m.clean not in touched] for side in (left, right)
        )
    return [
        (a, b)
        for a in left
        for b in right
        if a != b and same_setting(a, b, free_backbone=free_backbone) and _same_noise(a, b, touched)
    ]


def _candidates(name: str, labels: Mapping[Method, str]) -> list[Method]:
    exact = [method for method, label in labels.items() if label == name]
    pattern = NamePattern.parse(name)
    return exact or [method for method in labels if pattern.fits(method)]


def same_setting(a: Method, b: Method, *, free_backbone: bool = False) -> bool:
    """Whether two methods agree in dataset, backbone and whatever compared keys both have."""
    here, there = dict(a.variant), dict(b.variant)
    agree = all(here[key] == there[key] for key in here.keys() & there.keys())
    same = a.dataset == b.dataset and agree
    if a.name or b.name:
        return same
    alike = a.backbone == b.backbone or None in (a.backbone, b.backbone)  # None: a network of its own
    return same and (free_backbone or alike)


def _same_noise(a: Method, b: Method, touched: Collection[Method]) -> bool:
    """What has no model notices no noise either."""
    return a.noise == b.noise or a.clean not in touched or b.clean not in touched


def _varying_keys(methods: Collection[Method]) -> list[str]:
    keys = sorted({key for method in methods for key, _ in method.variant})
    return [key for key in keys if len({dict(method.variant).get(key) for method in methods}) > 1]


def _dataset_tells_source(methods: Collection[Method]) -> bool:
    """False where two sources have one name, as two folders may."""
    pairs = {(m.dataset, value) for m in methods for key, value in m.variant if key == SOURCE}
    return len(pairs) == len({dataset for dataset, _ in pairs})


def _keys_tell_dataset(methods: Collection[Method], varying: Collection[str]) -> bool:
    """True where compared keys say all that a dataset's name does: one source, read in several ways."""
    if SOURCE in varying:
        return False
    keys = [key for key in varying if key.startswith("dataset.")]
    pairs = {(m.dataset, tuple(dict(m.variant).get(key) for key in keys)) for m in methods}
    datasets = {dataset for dataset, _ in pairs}
    return len(pairs) == len(datasets) == len({values for _, values in pairs})


def _last_part(key: str, keys: Collection[str]) -> str:
    """`index.num_neighbours` is long: its last part will do while that is unique."""
    last = key.rpartition(".")[2]
    return key if sum(other.rpartition(".")[2] == last for other in keys) > 1 else last


def _noise_text(noise: Any) -> str | None:
    if noise is None:
        return None
    if isinstance(noise, Mapping):
        rest = "+".join(str(value) for key, value in sorted(noise.items()) if key != "rate")
        return f"{_value_text(noise['rate'])} {rest}".strip() if "rate" in noise else rest or None
    return _value_text(noise)


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
