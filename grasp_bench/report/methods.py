"""Methods: cells that differ in nothing but the seed, and the names that boards print for them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


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
    """Name each method by what tells it from the others: `grasp/softmax`, `sasrec+none (noise=0.2)`."""
    several_backbones = len({method.backbone for method in methods} - {None}) > 1
    several_datasets = len({method.dataset for method in methods}) > 1
    several_noises = len({method.noise for method in methods if not method.name}) > 1
    varying = _varying_keys(methods)
    labels = {}
    for method in methods:
        values = dict(method.variant)
        details = [f"{_last_part(key, varying)}={values[key]}" for key in varying if key in values]
        if several_noises and not method.name:
            details.append(f"noise={method.noise or 'none'}")
        if several_datasets:
            details.append(f"dataset={method.dataset}")
        name = f"{method.backbone}+{method.short}" if several_backbones and method.backbone else method.short
        labels[method] = f"{name} ({', '.join(details)})" if details else name
    return labels


def hypothesis_pairs(better: str, than: str, labels: Mapping[Method, str]) -> list[tuple[Method, Method]]:
    """The pairs of methods that one declared hypothesis is about.

    A full label means that method alone. A short name that fits several methods (two backbones, three
    noise rates) is asked of each: the two sides then agree in dataset, noise and variant, and in the
    backbone unless both names give one. A key that one side's variant lacks made no difference to it,
    so it agrees with any value of the other; so does all of a model with what has none.
    """
    left, right = _candidates(better, labels), _candidates(than, labels)
    if len(left) == 1 and len(right) == 1:
        return [(left[0], right[0])] if left[0] != right[0] else []
    free_backbone = "+" in better and "+" in than
    return [
        (a, b) for a in left for b in right if a != b and _same_setting(a, b, free_backbone=free_backbone)
    ]


def _candidates(name: str, labels: Mapping[Method, str]) -> list[Method]:
    exact = [method for method, label in labels.items() if label == name]
    pattern = NamePattern.parse(name)
    return exact or [method for method in labels if pattern.fits(method)]


def _same_setting(a: Method, b: Method, *, free_backbone: bool) -> bool:
    here, there = dict(a.variant), dict(b.variant)
    agree = all(here[key] == there[key] for key in here.keys() & there.keys())
    same = a.dataset == b.dataset and agree
    if a.name or b.name:
        return same
    return same and a.noise == b.noise and (free_backbone or a.backbone == b.backbone)


def _varying_keys(methods: Collection[Method]) -> list[str]:
    keys = sorted({key for method in methods for key, _ in method.variant})
    return [key for key in keys if len({dict(method.variant).get(key) for method in methods}) > 1]


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
