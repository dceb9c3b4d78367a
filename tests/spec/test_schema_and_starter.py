"""What editors and beginners get."""

from __future__ import annotations

import json

import pytest
import yaml

from grasp_bench.cli.spec import starter_text
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load_text, resolved_values
from grasp_bench.spec.shape import all_keys, json_schema


def test_the_schema_describes_every_key_as_it_is_written() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == {"include", *Experiment.model_fields}
    model = schema["$defs"]["Model"]["properties"]
    assert {"self", "similar", "global"} <= set(model)
    assert "self_part" not in model
    assert schema["$defs"]["Index"]["additionalProperties"] is False
    assert model["embedding_dim"]["description"]
    json.dumps(schema, allow_nan=False)


def test_the_schema_takes_the_starter() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    values = load_text(starter_text("x")).values
    jsonschema.validate(values, json_schema())


def test_the_starter_is_valid_and_named() -> None:
    text = starter_text("mine")
    assert text.startswith("# yaml-language-server: $schema=")
    experiment = load_text(text).experiment
    assert experiment.name == "mine"
    assert experiment.dataset.source == "demo"


def test_the_starter_says_the_same_in_any_yaml() -> None:
    # 1e-3 is a number in YAML 1.2 and text in 1.1: everything else must agree.
    theirs = yaml.safe_load(starter_text("x"))
    theirs["training"]["lr"] = float(theirs["training"]["lr"])
    assert load_text(starter_text("x")).values == theirs


def test_every_value_has_a_source_and_nothing_else_has() -> None:
    loaded = load_text(starter_text("x"), "s.yaml")
    values = resolved_values(loaded.experiment)
    assert list(values) == list(loaded.sources)
    lines = starter_text("x").splitlines()
    for key, source in loaded.sources.items():
        if source == "default" or not isinstance(values[key], str):
            continue
        _, line, column = source.split(":")
        assert lines[int(line) - 1][int(column) - 1 :].startswith(values[key]), key


def test_keys_of_all_variants_are_known() -> None:
    keys = set(all_keys())
    assert {
        "encoder.users",
        "encoder.max_tokens",
        "text.items.max_cost_usd",
        "noise.rates",
        "model.self",
    } <= keys
    assert "model.self_part" not in keys
