"""What texts of the small shop claim, against its own lists; labels; a judge behind real HTTP."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llm_server.launch import Running
from sklearn.metrics import cohen_kappa_score
from small_shop import ITEMS, LENGTH, USERS, Shop

from grasp_bench.core.errors import DataError
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.spec.choices import Text
from grasp_bench.studies.artifact_loading import LoadedSide, load_texts
from grasp_bench.studies.inspection.grounding import STATES, agreement, inspect_grounding
from grasp_bench.studies.inspection.grounding_labels import read_labels
from grasp_bench.studies.inspection.grounding_layout import lay_out_grounding
from grasp_bench.studies.inspection.judge import WORDS, Judge, judge_texts, read

TRAINED = LENGTH - 2
BRANDED = 3  # an item with a brand


def test_honest_text_is_grounded(shop: Shop) -> None:
    found = inspect_grounding(load_texts(shop.plan, shop.store, "users"))
    number = found.kinds["number"]
    assert (number.claims, number.ungrounded) == (USERS * TRAINED, 0)
    assert found.states["carried"].rate == 1
    # Dealt to strangers, about 4 of 24 numbers fit by luck.
    assert found.strangers["number"].ungrounded > 0.6 * USERS * TRAINED
    assert [(g.shortest, g.longest, g.states["carried"].hits) for g in found.by_length] == [
        (TRAINED, TRAINED, USERS)
    ]


@pytest.fixture
def wrong(shop: Shop) -> LoadedSide:
    """The items' texts, of which one names another brand and the next a year."""
    opened = load_texts(shop.plan, shop.store, "items")
    assert opened.texts is not None
    lines = [*opened.texts]
    brands = opened.subjects.items["brand"].to_list()
    assert brands[BRANDED] == "Zest"
    lines[BRANDED], lines[BRANDED + 1] = "Made by Opalia", "Made in 1999"
    return replace(opened, texts=lines)


def test_wrong_claims_are_told_of(wrong: LoadedSide) -> None:
    found = inspect_grounding(wrong)
    assert (found.kinds["brand"].contradicted, found.kinds["number"].ungrounded) == (1, 1)
    assert [found.states[state].hits for state in STATES] == [ITEMS - 2, 1, 1]
    assert {each[:3] for each in found.examples} == {
        (wrong.ids[BRANDED], "contradicted", "brand"), (wrong.ids[BRANDED + 1], "not_carried", "number"),
    }  # fmt: skip
    shown = document_text(lay_out_grounding(found))
    assert "number '1999' not carried in: Made in 1999" in shown


def written(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("id", "label", "text"), *rows])
    return path


def test_labels_say_how_far_rules_and_judges_agree(wrong: LoadedSide, tmp_path: Path) -> None:
    assert wrong.texts is not None
    ids, texts = wrong.ids, wrong.texts
    said = ["carried", "not_carried", "not_carried", "carried"]
    labels = read_labels(written(tmp_path / "l.csv", [(ids[k], said[k - 2], texts[k]) for k in range(2, 6)]))
    judged = {ids[k]: STATES[0] for k in range(2, 6)}
    found = inspect_grounding(wrong, labels=labels, judged=judged)
    assert found.labels == {"carried": 2, "not_carried": 2, "contradicted": 0}
    rules, judge, _ = found.agreements
    assert (rules.second, rules.texts, rules.agree) == ("rules", 4, 0.75)
    assert rules.kappa == pytest.approx(
        cohen_kappa_score(said, ["carried", "contradicted", "not_carried", "carried"])
    )
    assert (judge.second, judge.agree, judge.kappa) == ("judge", 0.5, None)  # the judge says one thing always


def test_agreement_is_that_of_another_library() -> None:
    ours = [STATES[k % 3] for k in range(60)]
    theirs = [STATES[k % 3 if k % 4 else 1] for k in range(60)]
    found = agreement("a", "b", ours, theirs)
    assert found.kappa == pytest.approx(cohen_kappa_score(ours, theirs))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.kappa < found.high


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("ITEM", "carryed", "TEXT")], r"l\.csv:2: unknown label 'carryed'; did you mean 'carried'\?"),
        ([("ITEM", "carried", "TEXT")] * 2, r"l\.csv:3: 'ITEM' is labelled twice"),
        ([("nobody", "carried", "TEXT")], r"l\.csv:2: 'nobody' has no text in this cell"),
        ([("ITEM", "carried", "older")], r"l\.csv:2: the text of 'ITEM' is another one in this cell"),
    ],
)
def test_wrong_labels_are_refused_by_line(
    shop: Shop, tmp_path: Path, rows: list[tuple[str, str, str]], message: str
) -> None:
    opened = load_texts(shop.plan, shop.store, "items")
    assert opened.texts is not None
    real = {"ITEM": opened.ids[0], "TEXT": opened.texts[0]}
    file = written(tmp_path / "l.csv", [(real.get(id, id), label, real.get(t, t)) for id, label, t in rows])
    with pytest.raises(DataError, match=message.replace("ITEM", opened.ids[0])):
        inspect_grounding(opened, labels=read_labels(file))


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("id,verdict\n1,carried\n")
    with pytest.raises(DataError, match=r"l\.csv:1: no column label, text"):
        read_labels(tmp_path / "l.csv")


def test_a_judge_is_asked_once(
    shop: Shop, tmp_path: Path, llm_server: Callable[..., Running], monkeypatch: Any
) -> None:
    """Through real HTTP; the test server's answers name no state, so all are unread, and paid for once."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    server = llm_server()
    monkeypatch.setenv("OPENAI_API_BASE", server.address)
    opened = load_texts(shop.plan, shop.store, "items")
    judge = Judge("openai/test", count=5)
    states, said = judge_texts(opened, judge, None, tmp_path / "ledger.sqlite")
    again = judge_texts(opened, judge, None, tmp_path / "ledger.sqlite")
    assert (states, said["judged"], said["unread"]) == ({}, 0, 5)
    assert again[1]["unread"] == 5
    assert server.counts().received == 5


def test_a_judge_is_told_nothing_that_the_spec_withholds_and_asked_where_it_says(
    shop: Shop, tmp_path: Path, llm_server: Callable[..., Running], monkeypatch: Any
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    server = llm_server(bodies=True)
    opened = load_texts(shop.plan, shop.store, "items")
    section = Text.model_validate(
        {
            "items": {"provider": "template", "redact": ["brand"]},
            "users": {"provider": "litellm", "model": "openai/test", "api_base": server.address},
        }
    )
    judge_texts(replace(opened, section=section), Judge("openai/test", count=5), None, tmp_path / "l.sqlite")
    asked = [event["text"] for event in server.counts().of("received")]
    assert len(asked) == 5
    assert all("category: " in text and "brand: " not in text for text in asked)


@pytest.mark.parametrize(("limit", "said"), [(0.0, "nothing can be asked"), (1.0, "price of 'openai/odd'")])
def test_a_judges_limit_can_be_kept_or_is_refused(
    shop: Shop, tmp_path: Path, limit: float, said: str
) -> None:
    opened = load_texts(shop.plan, shop.store, "items")
    with pytest.raises(DataError, match=said):
        judge_texts(opened, Judge("openai/odd", max_cost_usd=limit), None, tmp_path / "l.sqlite")


def test_a_judges_word_is_read() -> None:
    assert [read(word.capitalize() + ".") for word in WORDS] == ["carried", "not_carried", "contradicted"]
    assert read("CARRIED or MISSING") is None
    assert read("I cannot tell.") is None
