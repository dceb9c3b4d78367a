"""The spec's JSON Schema, for editors and other programs."""

from __future__ import annotations

from typing import Any

from grasp_bench.spec.experiment import Experiment

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a spec file, `include` among its keys.

    Keys that a file may leave to the files it includes are not required here.
    """
    schema = Experiment.model_json_schema(by_alias=True, mode="validation")
    properties = {
        "include": {
            "description": "Files of the same folder that this one is laid over.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **schema.pop("properties"),
    }
    required = schema.pop("required", [])
    return {
        "$schema": DIALECT,
        **schema,
        "title": "grasp_bench spec",
        "properties": properties,
        "anyOf": [{"required": required}, {"required": ["include"]}],
    }
