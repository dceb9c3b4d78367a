from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

import pytest

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.registry import Registry


@pytest.fixture
def registry() -> Registry[Any]:
    return Registry("thing", {"ordered": "collections:OrderedDict", "heavy": "wave:Error"})


def test_listing_names_imports_nothing(registry: Registry[Any]) -> None:
    sys.modules.pop("wave", None)
    assert registry.names() == ["heavy", "ordered"]
    assert list(registry) == ["ordered", "heavy"]
    assert "heavy" in registry
    assert "wave" not in sys.modules


def test_get_imports(registry: Registry[Any]) -> None:
    assert registry.get("ordered") is OrderedDict


def test_an_unknown_name_is_guessed(registry: Registry[Any]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        registry.get("orderd")
    assert caught.value.message == "unknown thing 'orderd'; did you mean 'ordered'?"
    assert caught.value.hint == "choose one of: heavy, ordered"


def test_names_are_given_once(registry: Registry[Any]) -> None:
    registry.add("new", "collections:deque")
    assert registry.get("new").__name__ == "deque"
    with pytest.raises(ValueError, match="'new' is already registered as collections:deque"):
        registry.add("new", "collections:Counter")


def test_the_given_mapping_is_not_shared() -> None:
    targets = {"a": "collections:deque"}
    registry: Registry[Any] = Registry("thing", targets)
    registry.add("b", "collections:Counter")
    assert targets == {"a": "collections:deque"}
