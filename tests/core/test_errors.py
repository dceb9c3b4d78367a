"""Errors cross process borders and keep what they know."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from grasp_bench.core import errors
from grasp_bench.core.machine import require

EXAMPLES = [
    errors.GraspBenchError("m"),
    errors.DataError("m", hint="do"),
    errors.LeakError("m", hint="do"),
    errors.SpecError(["a:1:2 b: c", "a:2:1 d: e"]),
    errors.MissingExtraError("ray", "ray"),
    errors.UnknownNameError("m"),
    errors.StoreError("m", hint="do"),
    errors.RunFailedError("m"),
]


def fail(index: int) -> None:
    raise EXAMPLES[index]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickling_keeps_type_text_and_fields(error: errors.GraspBenchError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__
    assert again.args == error.args
    assert again.exit_code == error.exit_code


def test_a_worker_hands_its_error_to_the_parent() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for index in (3, 4):
            with pytest.raises(type(EXAMPLES[index])) as caught:
                pool.submit(fail, index).result()
            assert caught.value.__dict__.keys() >= EXAMPLES[index].__dict__.keys()
            assert str(caught.value) == str(EXAMPLES[index])


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = [
        each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__
    ]
    for each in classes:
        (line,) = [
            line
            for line in (errors.__doc__ or "").splitlines()
            if f" {each.__name__} " in f" {line.strip(' │├└─')} "
        ]
        assert f"exit {each.exit_code}" in line


def test_a_missing_extra_is_one_line() -> None:
    with pytest.raises(errors.MissingExtraError) as caught:
        require("no_such_module_at_all.below", extra="llm")
    assert caught.value.hint == "pip install 'grasp-bench[llm]'"
    assert require("json", extra="llm").__name__ == "json"
