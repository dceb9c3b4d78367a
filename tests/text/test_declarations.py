"""Templates that say what they read, and those that say it wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from made_up import ITEMS, entities, written

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.text.providers import Side
from grasp_bench.text.template_settings import TemplateText
from grasp_bench.text.templates import Prompt


def prompt(folder: Path, text: str, side: Side = "items") -> Prompt:
    path = folder / "mine.j2"
    path.write_text(text, "utf-8")
    return Prompt(str(path), side)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("{#- variables: item.title, item.brand -#}{{ item.title }}{{ item['brand'] }}", "items"),
        ("{# variables: item.llm summary #}{{ item['llm summary'] }}", "items"),
        ("{# variables: item.known #}{% for name, value in item.known %}{{ name }}{% endfor %}", "items"),
        ("{# variables: item #}{% set it = item %}{{ it.title }}", "items"),
        ("\n{# variables:\n  titles,\n  user.age #}{{ titles | join }}{{ user.age }}", "users"),
        ("{# variables: items #}{% for item in items %}{{ item.title }}{% endfor %}", "users"),
        ("{# variables: items #}{{ items[0].title }}{{ items | length }}", "users"),
        ("{# variables: titles #}{% include 'visited_items' %}", "users"),
        ("{# a note, no list #}{{ range(2) | join }}{{ item.title }}", "items"),
    ],
)
def test_declarations_that_hold(tmp_path: Path, text: str, side: Side) -> None:
    assert prompt(tmp_path, text, side).name.endswith("mine.j2")


@pytest.mark.parametrize(
    ("text", "side", "message"),
    [
        (
            "{# variables: item.title #}{{ item.brand }}{{ item.title }}",
            "items",
            "reads 'item.brand' without",
        ),
        ("{# variables: item.title, item.brnd #}{{ item.title }}", "items", "declares 'item.brnd' and never"),
        ("{# variables: item.tilte #}{{ item.title }}", "items", "did you mean 'item.tilte'"),
        ("{# variables: itm.title #}{{ item.title }}", "items", "'itm' is undefined.*did you mean 'item'"),
        ("{# variables: titles #}{{ titles }}{{ user.age }}", "users", "reads 'user.age' without"),
        ("{# variables: item.title #}{{ item.title }}", "users", "'item' is undefined for users"),
        ("{{ titles }}", "items", "'titles' is undefined for items"),
        ("{% include 'visited_items' %}", "items", "'titles' is undefined for items"),
        ("{% include 'other' %}", "users", "includes 'other', which is not a shipped template"),
        ("{% include '../prompts/item' %}", "users", "not a shipped template"),
    ],
)
def test_declarations_that_do_not(tmp_path: Path, text: str, side: Side, message: str) -> None:
    with pytest.raises(DataError, match=rf"mine\.j2: .*{message}"):
        prompt(tmp_path, text, side)


def test_a_version_is_the_content_wherever_the_file_lies(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first = prompt(tmp_path, "{{ item.title }}").version
    assert prompt(tmp_path / "elsewhere", "{# a note #}{{ item.title }}").version == first
    assert prompt(tmp_path, "{{ item.title }}!").version != first
    assert first.startswith("mine.j2@")


@pytest.mark.parametrize(
    "text", ["{% for x in item %}{{ x }}{% endfor %}", "{{ item | list }}", "{{ 'x' in item }}"]
)
def test_a_record_is_no_list(tmp_path: Path, text: str) -> None:
    """By Python's old rule one that has only item[...] would be iterated for ever."""
    prompt(tmp_path, text)
    with pytest.raises(DataError, match="about 'a'"):
        written(TemplateText(template=str(tmp_path / "mine.j2")), entities("items"))


def test_a_whole_record_reads_as_what_is_known(tmp_path: Path) -> None:
    prompt(tmp_path, "{{ item }}")
    texts, facts = written(
        TemplateText(template=str(tmp_path / "mine.j2")), entities("items", items=ITEMS.head(2))
    )
    assert texts == ["title: Crème brûlée; brand: Bär; price: 3.5", "title: Rose soap"]
    assert facts["unknown"] == {}


def test_facts_tell_what_was_missing() -> None:
    _, facts = written(TemplateText(template="beauty_item"), entities("items"))
    assert facts["absent_columns"] == ["item.description", "item.feature"]
    assert facts["unknown"] == {"item.brand": 2, "item.price": 3, "item.title": 2}


def test_an_own_template_with_a_misspelt_column_is_refused(tmp_path: Path) -> None:
    """Else every prompt would say "unknown", and be paid for."""
    mine = TemplateText(template=str(tmp_path / "mine.j2"))
    prompt(tmp_path, "{{ item.title }} by {{ item.brands }}")
    with pytest.raises(UnknownNameError, match=r"mine\.j2: no item has 'brands'; did you mean 'brand'\?"):
        written(mine, entities("items"))
    prompt(tmp_path, "{{ item.title }}, {{ item.brand }}, {{ item.brands }}, {{ item.feature }}")
    written(mine, entities("items"))  # `brand` is read beside it, and nothing is like `feature`


def test_users_are_told_by_their_attributes(tmp_path: Path) -> None:
    prompt(tmp_path, "{{ user.age }}/{{ user.city }}/{{ user.user_id }}: {{ titles | join }}", "users")
    users = pl.DataFrame({"user_id": ["u0", "u1"], "age": ["31", None], "city": [" Köln ", "Ulm"]})
    texts, facts = written(
        TemplateText(template=str(tmp_path / "mine.j2")), entities("users", [[0], [1]], users=users)
    )
    assert texts == ["31/Köln/unknown: Crème brûlée", "unknown/Ulm/unknown: Rose soap"]
    assert facts["absent_columns"] == ["user.user_id"]
    assert facts["unknown"]["user.age"] == 1
