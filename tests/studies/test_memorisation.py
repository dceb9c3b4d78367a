"""Questions about titles, their scores and controls, and the way through ledger and budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from calling import call
from llm_server.launch import Running
from llm_server.settings import Fault
from small_shop import Shop, open_shop

from grasp_bench.data.prepare import prepare
from grasp_bench.spec.dataset import Dataset
from grasp_bench.studies.inspection.recall import Question, questions, scores, words_in

ITEMS = pl.DataFrame(
    {
        "item_id": ["2", "10", "9", "30", "31", "32"],
        "title": [
            "Star Wars (1977)",
            "Star Trek (1979)",
            "Star Trek II (1982)",
            "Heat (1995)",
            "Alone",
            None,
        ],
        "category": ["space", "space", "space", "crime", "crime", None],
    }
)  # fmt: skip


def asked(count: int = 9, seed: int = 0) -> dict[tuple[str, str], Question]:
    return {(each.task, each.item): each for each in questions(ITEMS, "Films", count, seed)}


def test_what_is_shown_and_what_is_wanted() -> None:
    found = asked()
    assert {item for _, item in found} == {"2", "10", "9", "30"}  # a title of one word has no second half
    title = found["title", "2"]
    assert (title.given, title.truth) == ("Star Wars", "(1977)")
    assert title.prompt.endswith("Star Wars |")
    record, shown = found["record", "2"], found["shown", "2"]
    assert (record.given, record.truth) == ("2", "Star Wars (1977)")
    assert "Wars" not in record.prompt
    assert "\n2 | Star Wars (1977)\n" in shown.prompt
    assert all("Films" in each.prompt for each in found.values())
    assert asked(2).items() <= found.items()  # a smaller sample is part of a larger one


def test_controls_come_from_other_items() -> None:
    found = asked()
    # "Star Trek" begins two titles: the other one goes on with "II", and no title begins with "Star Wars".
    assert found["title", "10"].guess == ("ii", "1982")
    assert found["title", "2"].guess == ("trek", "ii", "1982")
    assert found["record", "10"].guess == words_in("Star Trek II (1982)")  # ids as numbers: 2, 9, 10, 30
    assert found["record", "2"].guess == words_in("Star Trek II (1982)")
    for seed in range(5):
        assert asked(seed=seed)["title", "2"].swapped in {("1979",), ("ii", "1982")}


@pytest.mark.parametrize(
    ("answer", "exact", "near"),
    [
        ("Star Wars (1977)", True, True),
        ("\n star wars, 1977.\n2 | Heat", True, True),
        ("I know it:\n2 | Star Wars 1977", True, True),  # on the line that repeats the id
        ("The title of 2 is Star Wars: (1977)", False, True),
        ("Star Trek (1979)", False, False),
        ("", False, False),
    ],
)
def test_scores_of_answers(answer: str, exact: bool, near: bool) -> None:
    question = replace(asked()["record", "2"], guess=("star", "wars", "1997"), swapped=("heat", "1995"))
    found = scores(question, answer)
    assert (found["model"].exact, found["model"].near) == (exact, near)
    assert (found["guess"].exact, found["guess"].near) == (False, True)
    assert found["swapped"].exact is False


@pytest.mark.parametrize("name", ["movielens-small", "goodreads", "amazon-beauty"])
def test_real_titles(name: str, data_root: Path) -> None:
    items = prepare(Dataset(source=str(data_root / name))).items
    found = questions(items, name, 50, 0)
    assert len(found) == 150
    titles = dict(items.select("item_id", "title").iter_rows())
    for each in found:
        whole = f"{each.given} {each.truth}" if each.task == "title" else each.truth
        assert whole.split() == titles[each.item].split()
    hits = [scores(each, each.truth) for each in found]
    assert all(each["model"].exact for each in hits)
    assert sum(each["guess"].exact for each in hits) < 15
    assert sum(each["swapped"].exact for each in hits) < 15  # a year, or "Hardcover", is no rare half


@pytest.fixture
def fresh(tmp_path: Path) -> Shop:
    return open_shop(tmp_path / "shop")


def probe(shop: Shop, server: Running, *more: str, keys: str = "price: {input_per_million: 1}"):
    source = f"{{provider: litellm, model: openai/x, api_base: '{server.address}', {keys}}}"
    return call(
        shop.spec.parent, "inspect", "memorisation", shop.spec, "--set", f"text.items={source}",
        "--store", shop.store.root, "--sample", "8", "--format", "json", *more, OPENAI_API_KEY="sk-test-key",
    )  # fmt: skip


def test_a_model_that_knows_one_title_is_paid_once(fresh: Shop, llm_server: Callable[..., Running]) -> None:
    knows = Fault("says", text="number 117", matching="Zest mug |")  # the words that "Zest mug" go on with
    server = llm_server(answer="I know nothing", faults=(knows,))
    shown = probe(fresh, server, "--sample", "24", "--max-cost-usd", "1")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    title, record, told = found["tasks"]
    assert (title["asked"], title["exact"]["model"]["hits"]) == (24, 1)
    assert title["exact"]["only_model"] - title["exact"]["only_guess"] == 1 - title["exact"]["guess"]["hits"]
    assert (title["examples"][0]["answer"], title["examples"][0]["recalled"]) == ("number 117", "exact")
    assert record["exact"]["model"]["hits"] == told["near"]["model"]["hits"] == 0
    assert 0 < record["exact"]["model"]["high"] < 0.2
    billed = server.counts().billed
    assert found["spend"]["sent"] == billed > 0
    again = json.loads(probe(fresh, server).stdout)
    assert again["spend"]["sent"] == 0
    assert server.counts().billed == billed


def test_limits_and_titles_that_may_not_be_sent(fresh: Shop, llm_server: Callable[..., Running]) -> None:
    server = llm_server()
    dear = probe(fresh, server, "--max-cost-usd", "0.0000001")
    assert dear.exit_code != 0
    assert server.counts().billed == 0
    unknown = probe(fresh, server, "--max-cost-usd", "1", keys="")
    assert "the price of 'openai/x' is not known" in unknown.output
    hidden = probe(fresh, server, keys="redact: [title]")
    assert "redact hides titles" in hidden.output
    nobody = call(fresh.spec.parent, "inspect", "memorisation", fresh.spec)
    assert "names no language model" in nobody.output
