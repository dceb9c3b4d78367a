"""Shipped prompts word for word, missing attributes, user templates and their mistakes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from made_up import ITEMS, entities

from grasp_bench.core.errors import DataError, MissingFileError, UnknownNameError
from grasp_bench.testing import check_text_provider
from grasp_bench.text.providers import Side, write_texts
from grasp_bench.text.template_settings import TemplateText
from grasp_bench.text.templates import shipped_templates


def texts(side: Side, histories: list[list[int]] | None = None, **keys: object) -> list[str]:
    return list(write_texts(TemplateText(**keys), entities(side, histories)).texts)  # type: ignore[arg-type]


def test_beauty_items_read_as_in_the_paper() -> None:
    assert texts("items", template="beauty_item")[0] == (
        "The beauty item has the following attributes: name is Crème brûlée; brand is Bär; price is 3.5. "
        "The item has the following features: unknown. The item has the following descriptions: unknown."
    )


def test_fashion_items_read_as_in_the_paper() -> None:
    assert texts("items", template="fashion_item", missing="")[1] == (
        "The fashion item has the following attributes: name is Rose soap; brand is ; score is ; price is . "
        "The item has the following features: . The item has the following descriptions: ."
    )


def test_default_item_text_lists_what_is_known() -> None:
    assert texts("items") == [
        "The item has the following attributes: name is Crème brûlée; brand is Bär; price is 3.5.",
        "The item has the following attributes: name is Rose soap.",
        "The item has the following attributes: name is unknown; brand is Ölwerk.",
        "The item has the following attributes: name is unknown.",
    ]


def test_users_name_their_items_latest_first() -> None:
    assert texts("users", [[0, 1], [1, 2, 3]]) == [
        "The user has visited the following items: Rose soap, Crème brûlée "
        "please conclude the user's preference.",
        "The user has visited the following items: unknown, Ölwerk, Rose soap "
        "please conclude the user's preference.",
    ]


def test_order_and_limit_keep_the_latest_items() -> None:
    (text,) = texts("users", [[2, 0, 1]], order="oldest_first", max_items=2)
    assert text.split("items: ")[1].startswith("Crème brûlée, Rose soap please")


def test_without_a_word_for_missing_ones_nameless_items_are_left_out() -> None:
    (text,) = texts("users", [[3, 0, 3]], missing="")
    assert text.split("items: ")[1].startswith("Crème brûlée please")


def test_facts_count_the_nameless_and_the_new() -> None:
    written = write_texts(TemplateText(), entities("users", [[0], []]))
    assert len(list(written.texts)) == 2
    facts = written.facts
    assert facts["items_without_attributes"] == 1
    assert facts["without_history"] == 1
    assert (facts["count"], facts["distinct"], facts["empty"]) == (2, 2, 0)


def test_template_file_may_use_items_and_odd_column_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text("{% for item in items %}{{ item['llm summary'] }}|{{ item.items }};{% endfor %}", "utf-8")
    items = ITEMS.with_columns(pl.lit("fine").alias("llm summary"), pl.lit("x").alias("items"))
    written = write_texts(TemplateText(template=str(path)), entities("users", [[0, 1]], items))
    assert list(written.texts) == ["fine|x;fine|x;"]


def test_list_columns_are_joined() -> None:
    items = ITEMS.with_columns(pl.Series("tags", [["x", "y"], [], None, ["z"]]))
    first = next(iter(write_texts(TemplateText(), entities("items", items=items)).texts))
    assert first.endswith("; tags is x, y.")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ item.title", "mine.j2:1"),
        ("{{ prod.title }}", "'prod' is undefined for items"),
        ("{{ item.title.__class__.__mro__ }}", "mine.j2"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ range(10 ** 9) | list }}", "too big|Range"),
    ],
)
def test_mistakes_in_a_template_name_the_file(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(source)
    with pytest.raises(DataError, match=message):
        texts("items", template=str(path))


def test_empty_result_names_the_entity(tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text("{{ item.brand }}")
    with pytest.raises(DataError, match="2 texts are empty, first that of 'b'"):
        texts("items", template=str(path), missing="")


def test_unknown_and_absent_templates() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'beauty_item'"):
        texts("items", template="beauty_itm")
    with pytest.raises(MissingFileError, match=r"gone\.j2"):
        texts("items", template="gone.j2")


def test_catalogue_without_any_text_is_refused() -> None:
    bare = ITEMS.select("item_id", title=pl.lit(None, pl.String))
    for side in ("items", "users"):
        with pytest.raises(DataError, match="none of the 4 items"):
            write_texts(TemplateText(), entities(side, items=bare))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", shipped_templates())
def test_every_shipped_template_suits_one_side(name: str) -> None:
    side: Side = "users" if name == "visited_items" or name.endswith("_user") else "items"
    assert all(text.endswith(".") for text in texts(side, template=name))


def test_writing_is_fast() -> None:
    n = 10_000
    items = pl.DataFrame(
        {"item_id": [str(k) for k in range(n)], "title": [f"t{k}" for k in range(n)], "brand": ["b"] * n}
    )
    histories = np.random.default_rng(0).integers(0, n, size=(n, 7)).tolist()
    started = time.process_time()
    for side in (entities("items", items=items), entities("users", histories, items)):
        assert len(list(write_texts(TemplateText(), side).texts)) == n
    assert time.process_time() - started < 5


def test_the_provider_keeps_the_contract() -> None:
    check_text_provider("template")
    check_text_provider("template", missing="", max_items=1)
