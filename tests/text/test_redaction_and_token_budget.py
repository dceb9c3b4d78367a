"""Columns that stay at home, and prompts held to a number of tokens."""

from __future__ import annotations

import polars as pl
import pytest
from made_up import ITEMS, entities, written

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.services.tokens import counter
from grasp_bench.text.generated import prompt_requests
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.template_settings import TemplateText

MANY = pl.DataFrame(
    {"item_id": [str(k) for k in range(60)], "title": [f"Product number {k}" for k in range(60)]}
)


@pytest.mark.parametrize("template", ["item", "beauty_item", "fashion_item"])
def test_withheld_columns_read_as_missing(template: str) -> None:
    texts, facts = written(TemplateText(template=template, redact=("title", "price")), entities("items"))
    assert not [text for text in texts if "brûlée" in text or "3.5" in text]
    assert "name is unknown" in texts[0]
    assert "Bär" in texts[0]
    assert not {"item.title", "item.price"} & set(facts["absent_columns"])


def test_names_of_items_without_withheld_titles() -> None:
    (text,), _ = written(TemplateText(redact=("title",)), entities("users", [[0, 2]]))
    assert "items: Ölwerk, Bär please" in text


def test_withholding_everything_leaves_nothing_to_tell() -> None:
    with pytest.raises(DataError, match="none of the 4 items"):
        written(TemplateText(redact=("title", "brand", "price")), entities("items"))


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"text\.items\.redact: .*'brnd'; did you mean 'brand'"):
        written(TemplateText(redact=("brnd",)), entities("items"))
    users = pl.DataFrame({"user_id": ["u0"], "email": ["x"]})
    written(TemplateText(redact=("email",)), entities("users", users=users))
    with pytest.raises(UnknownNameError, match="'email'"):
        written(TemplateText(redact=("email",)), entities("users"))


def most_that_fit(history: list[int], limit: int, order: int) -> str:
    """By trying every number of items, counted with OpenAI's own encoding."""
    count = counter("text-embedding-ada-002")
    for kept in range(len(history), -1, -1):
        named = (
            ", ".join([f"Product number {k}" for k in history[len(history) - kept :]][::order]) or "unknown"
        )
        text = f"The user has visited the following items: {named} please conclude the user's preference."
        if count.count_chat([text]) <= limit:
            return text
    raise AssertionError


@pytest.mark.parametrize(("order", "word"), [(-1, "latest_first"), (1, "oldest_first")])
@pytest.mark.parametrize("limit", [30, 41, 60, 97, 400])
def test_the_oldest_items_are_left_out_until_it_fits(limit: int, order: int, word: str) -> None:
    histories = [list(range(60)), [7, 8], [3] * 20, []]
    source = TemplateText(max_prompt_tokens=limit, order=word)  # type: ignore[arg-type]
    texts, facts = written(source, entities("users", histories, MANY))
    assert texts == [most_that_fit(history, limit, order) for history in histories]
    whole, _ = written(TemplateText(order=word), entities("users", histories, MANY))  # type: ignore[arg-type]
    assert facts["shortened_histories"] == sum(a != b for a, b in zip(texts, whole, strict=True))
    assert facts["tokens_counted"] == "exactly"


def test_a_prompt_that_cannot_fit_names_its_entity() -> None:
    with pytest.raises(DataError, match=r"users 'u0': the prompt has \d+ tokens .* max_prompt_tokens is 16"):
        written(TemplateText(max_prompt_tokens=16), entities("users", [[0]]))
    with pytest.raises(DataError, match="items 'a': the prompt has"):
        written(TemplateText(max_prompt_tokens=16, template="beauty_item"), entities("items"))


def test_the_system_message_counts() -> None:
    asked = LiteLLMText(model="gpt-4o-mini", max_prompt_tokens=80, system="Say as little as you can. " * 5)
    (ask,) = prompt_requests(asked, entities("users", [list(range(60))], MANY))
    contents = [message["content"] for message in ask.arguments["messages"]]
    count = counter("gpt-4o-mini").count_chat(contents)
    assert 70 < count <= 80
    (longer,) = prompt_requests(
        asked.model_copy(update={"system": None}), entities("users", [list(range(60))], MANY)
    )
    assert len(longer.arguments["messages"][0]["content"]) > len(contents[1])


def test_items_do_not_repeat_in_memory() -> None:
    """A history of one popular item, however often, names it as often."""
    (text,), _ = written(TemplateText(max_items=3), entities("users", [[0] * 50], ITEMS))
    assert text.count("Crème brûlée") == 3
