"""Patches change exactly what they name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import apply_patch, parse_override

# Dotted key to values that fit whatever the other keys say.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "description": st.text(max_size=20),
    "seeds": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4, unique=True),
    "dataset.source": st.sampled_from(["demo", "amazon-beauty", "données/é.csv"]),
    "dataset.items": st.none() | st.just("items.csv"),
    "dataset.min_user": st.integers(3, 10**6),
    "dataset.columns.user": st.text(max_size=5),
    "dataset.repair.empty_text": st.sampled_from(["refuse", "keep"]),
    "dataset.protocol.also_full_ranking": st.booleans(),
    "dataset.protocol.groups": st.just({"rule": "threshold", "head_user_from": 4, "head_item_from": 9}),
    "text.users.max_items": st.integers(1, 1000),
    "text.items.missing": st.text(max_size=5),
    "encoder.dtype": st.sampled_from(["auto", "float32", "bfloat16"]),
    "index.num_neighbours": st.integers(1, 1000),
    "index.restrict_items_to": st.none() | st.just("categories"),
    "model.backbone": st.sampled_from(["sasrec", "gru4rec", "bert4rec"]),
    "model.enhancer": st.sampled_from(["none", "grasp"]),
    "model.self": st.booleans(),
    "model.similar": st.booleans(),
    "model.dropout": st.floats(0, 1, exclude_max=True),
    "model.mlp_hidden": st.none() | st.integers(2, 512),
    "training.lr": st.floats(0, 10, exclude_min=True),
    "training.grad_clip": st.none() | st.floats(0, 10, exclude_min=True),
    "compare.model.enhancer": st.just(["none", "grasp"]),
    "ablations.soft.model.attention": st.just("softmax"),
    "noise.side": st.sampled_from(["users", "items"]),
}
BASES = [
    Experiment.model_validate({"name": "x", "dataset": {"source": "demo"}}),
    Experiment.model_validate({
        "name": "y", "dataset": {"source": "amazon-beauty", "min_user": 5},
        "model": {"backbone": "gru4rec", "enhancer": "grasp", "self": False}, "seeds": [1, 2],
        "noise": {"rates": [0.5]}, "text": {"users": {"provider": "template", "scope": "all"}},
        "ablations": {"soft": {"model.attention": "none", "model.mlp_depth": 1}},
    }),
]  # fmt: skip


def flat(experiment: Experiment) -> dict[str, Any]:
    """Leaves by dotted key, written without the code under test."""
    found: dict[str, Any] = {}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict) and value:
            for name, below in value.items():
                walk(below, f"{key}.{name}" if key else name)
        else:
            found[key] = value

    walk(experiment.model_dump(mode="json", by_alias=True), "")
    return found


patches = st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=6).flatmap(
    lambda keys: st.fixed_dictionaries({key: VALUES[key] for key in keys})
)


@settings(max_examples=150)
@given(st.sampled_from(BASES), patches)
def test_the_result_differs_in_exactly_the_named_keys(base: Experiment, patch: dict[str, Any]) -> None:
    before, after = flat(base), flat(apply_patch(base, patch))
    for key in set(before) | set(after):
        named = any(key == name or key.startswith(f"{name}.") for name in patch)
        # A section that was absent comes into being with its defaults.
        created = any(name.startswith("noise.") and base.noise is None for name in patch)
        emptied = key in ("compare", "ablations") and before.get(key) == {}
        if not (named or emptied or (created and key.startswith("noise"))):
            assert before[key] == after[key], key
    for name, value in patch.items():
        for key, leaf in (
            {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
        ).items():
            assert after[key] == leaf


@settings(max_examples=60)
@given(st.sampled_from(BASES), patches)
def test_patches_repeat_and_reorder_without_effect(base: Experiment, patch: dict[str, Any]) -> None:
    once = apply_patch(base, patch)
    assert apply_patch(once, patch) == once
    assert apply_patch(base, dict(reversed(patch.items()))) == once
    assert apply_patch(once, {}) == once


@settings(max_examples=60)
@given(st.text(max_size=12).filter(lambda key: key.split(".")[0] not in Experiment.model_fields))
def test_unknown_keys_are_refused(key: str) -> None:
    with pytest.raises(SpecError, match="unknown key"):
        apply_patch(BASES[0], {key: 1})


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"model.atention": "none"}, "patch model.atention: unknown key; did you mean 'model.attention'?"),
        ({"modle.attention": "none"}, "patch modle.attention: unknown key; did you mean 'model.attention'?"),
        ({"attention": "none"}, "patch attention: unknown key; did you mean 'model.attention'?"),
        ({"model.self_part": False}, "patch model.self_part: unknown key"),
        ({"model.heads.x": 1}, "patch model.heads.x: 'model.heads' is a value, with no keys below it"),
        ({"seeds.0": 1}, "patch seeds.0: unknown key; known here: from, least, most, until"),
        ({"model.heads": "2"}, "patch model.heads: expected a whole number, got the text '2'"),
        ({"model.heads": True}, "patch model.heads: expected a whole number, got true"),
        ({"model.heads": 3}, "patch model: embedding_dim 64 is not divisible by heads 3"),
        ({"encoder.kind": "precomputed"}, "patch encoder.users: required key is missing"),
        ({"index.m": 3, "index": {}}, "patch index.m: overlaps with 'index' in the same patch"),
        ({"": 3}, "patch: unknown key"),
    ],
)
def test_what_is_refused(patch: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_patch(BASES[0], patch)
    assert caught.value.problems[0].startswith(expected)


def test_all_problems_of_a_patch_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        apply_patch(BASES[0], {"model.hedas": 1, "index.m": 0, "training.lr": "x"})
    assert len(caught.value.problems) == 3


def test_another_variant_starts_afresh() -> None:
    base = apply_patch(BASES[0], {"encoder.model": "other", "encoder.normalize": False})
    switched = apply_patch(
        base, {"encoder.users": "u.npy", "encoder.items": "i.npy", "encoder.kind": "precomputed"}
    )
    assert switched.encoder.model_dump() == {
        "kind": "precomputed", "users": "u.npy", "items": "i.npy", "normalize": True, "scope": "train",
        "missing": "fail", "leaks": "refuse", "reduce": None,
    }  # fmt: skip
    whole = {"encoder": {"kind": "precomputed", "users": "u.npy", "items": "i.npy"}}
    assert apply_patch(base, whole) == switched
    assert apply_patch(base, {"encoder.kind": "sentence_transformers"}) == base


def test_providers_of_text_switch_too() -> None:
    patch = {"text.items.provider": "litellm", "text.items.model": "openai/gpt-4o-mini"}
    switched = apply_patch(BASES[0], patch)
    assert switched.text.items.provider == "litellm"
    assert switched.text.users == BASES[0].text.users


def test_a_mapping_takes_the_place_of_a_section() -> None:
    base = apply_patch(BASES[0], {"index.m": 8, "index.seed": 1})
    assert apply_patch(base, {"index": {"seed": 2}}).index.m == 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=1", ("a.b", 1)),
        ("a.b=1e-3", ("a.b", 1e-3)),
        ("a.b= [1, two]", ("a.b", [1, "two"])),
        ("a={b.c: no}", ("a", {"b.c": "no"})),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", None)),
        ("a='5'", ("a", "5")),
        ("a=true", ("a", True)),
    ],
)
def test_parse_override(text: str, expected: tuple[str, Any]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["a", "=1", "a=[", "a=.nan", "a=!x y", "a={b: 1, b: 2}"])
def test_overrides_that_cannot_be_parsed(text: str) -> None:
    with pytest.raises(SpecError, match="--set"):
        parse_override(text)
