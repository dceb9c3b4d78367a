"""Claims against attributes, on a catalogue small enough to judge by eye."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.text.claim_words import sizes, vocabularies
from grasp_bench.text.grounding import GroundingCheck
from grasp_bench.text.lexicons import Lexicon, make_lexicon, tokens_of

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": [
            "OPI Nail Lacquer, Red 0.50 Ounce",
            "Essie Nail Polish, Pure White, 1,000 ml (Pack of 2)",
            "Pure Face Cream",
            "Crème de L'Oréal, pure and soft",
        ],
        "brand": ["OPI", "Essie", "Pure", "L'Oréal"],
        "category": ["Makeup > Nail Lacquer", "Makeup > Nail Polish", "Skin Care", "Skin Care"],
    }
)


def check(*texts: str, about: tuple[tuple[int, ...], ...] = ((0,), (1,), (2,), (3,))) -> dict[str, set[str]]:
    found = GroundingCheck(texts, ITEMS).against(lambda k: about[k])
    claims: dict[str, set[str]] = {}
    for claim in found.claims:
        sign = "!" if claim.contradicted else ""
        claims.setdefault(claim.kind, set()).add(f"{claim.entity} {sign}{claim.words}")
    return claims


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("L'Oréal 1,000 ML", ["l", "oréal", "1000", "ml"]),
        ("2.50oz, 2.0 and 3.", ["2.5", "oz", "2", "and", "3"]),
        ("in the 1950s, 1,5 l; 10,00", ["in", "the", "1950", "s", "1,5", "l", "10,00"]),
        ("ＯＰＩ™ ½ — 光环 2", ["opitm", "1", "2", "光环", "2"]),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


def test_true_claims_have_ground() -> None:
    assert check(
        "An OPI nail lacquer of 0.5 ounce", "ESSIE nail polish: 1000 ml, pure white, a pack of 2",
        "face cream by Pure", "soft as L'ORÉAL is",
    ) == {}  # fmt: skip


def test_claims_are_contradicted_by_another_value_of_their_kind_alone() -> None:
    """OPI's lacquer is a brand, a colour and a size; nothing says for whom, from where or at what price."""
    said = "An Essie Nail Polish of 0.7 oz or 15 ml from Japan, a blue luxury for women of 1999"
    assert check(said, "", "made in Paris, in packs of 3", "of 2019") == {
        "brand": {"0 !essie"},
        "category": {"0 nail polish"},
        "size": {"0 !0.7 oz", "0 15 ml", "2 packs of 3"},
        "place": {"0 japan", "2 paris"},
        "colour": {"0 !blue"},
        "price": {"0 luxury"},
        "audience": {"0 women"},
        "number": {"0 1999", "3 2019"},
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8oz bottle, 1.70 Fluid Ounces", ["8 oz", "1.7 oz"]),
        ("pack of 6, 12 count and 25 Gel Caps", ["6 pieces", "12 pieces"]),
        ("a 5 star oz, 2019", []),
        ("in 100 % of 3 kinds", []),
    ],
)
def test_sizes(text: str, found: list[str]) -> None:
    assert [size.value for size in sizes(tokens_of(text))] == found


def test_other_words_for_a_value_carry_it() -> None:
    items = pl.DataFrame({"item_id": ["a"], "title": ["Japanese scarlet lipstick, 2 fl. oz, Women's"]})
    said = "red, from Japan, for ladies, of 2 ounces"
    assert GroundingCheck([said], items).against(lambda k: [k]).claims == ()
    denied = GroundingCheck(["French pink for men, of 3 ounces"], items).against(lambda k: [k])
    assert [(claim.kind, claim.contradicted) for claim in denied.claims] == [
        ("size", True), ("colour", True), ("audience", True), ("place", True),
    ]  # fmt: skip
    assert denied.states() == ["contradicted"]


def test_a_word_claims_one_value() -> None:
    """No way to say a value is a way to say another, and none is longer than the search looks."""
    ways = [(each.kind, words) for each in vocabularies() for words in each.values]
    assert len(ways) == len(set(ways))


def test_names_are_whole_words_and_claimed_once() -> None:
    assert check("copious opiates, Essies; L Oréalist", "OPI, opi and OPI") == {"brand": {"1 !opi"}}


def test_ordinary_words_are_no_brands() -> None:
    """Pure is a brand, and stands in more titles of other brands than of its own."""
    assert "brand" not in check("pure pleasure")
    names = [{("opi",)}, {("essie",)}, {("pure",)}, {("l", "oréal")}]
    titles = [tokens_of(title) for title in ITEMS["title"]]
    lexicon = make_lexicon("brand", names, titles)
    assert lexicon.names == {("opi",), ("essie",), ("l", "oréal")}
    assert lexicon.generic == 1


def test_a_name_that_no_attribute_bears_out_is_not_searched_for() -> None:
    lexicon = make_lexicon("brand", [{("rain",)}], [["an", "umbrella"]])
    assert lexicon.names == frozenset()


def test_the_longest_name_counts() -> None:
    lexicon = Lexicon("category", frozenset({("nail",), ("nail", "polish"), ("polish", "remover")}))
    assert list(lexicon.find(["a", "nail", "polish", "remover", "nail"])) == [("nail", "polish"), ("nail",)]


def test_a_history_is_the_ground_of_a_user() -> None:
    text = "Buys OPI and Essie, 1000 ml and 3 l"
    assert check(text, about=((0, 1),)) == {"size": {"0 3 l"}}
    assert check(text, about=((),)) == {"brand": {"0 opi", "0 essie"}, "size": {"0 1000 ml", "0 3 l"}}


def test_numbers_of_lists_names_and_prompts_are_no_claims() -> None:
    listed = "1. warm\n2) mild\n 10. calm"
    assert check(listed) == {}
    prompt = [f"A list of 100 things: {word}" for word in ("warm", "mild", "calm", "soft")]
    assert check(*prompt) == {}


def test_names_do_not_reach_across_attributes() -> None:
    """The title ends in `Pure` and the category begins with `White`: nobody said `pure white`."""
    items = pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "title": ["Soap Pure", "Pure White soap"],
            "brand": [None, "Pure White"],
            "category": ["White", None],
        }
    )
    found = GroundingCheck(["pure white", ""], items).against(lambda k: [k])
    assert [claim.words for claim in found.claims] == ["pure white"]


def test_the_column_that_texts_were_copied_from_is_no_attribute() -> None:
    said = ["built in 1820", "built in 1821", "", "built in 1823"]
    items = ITEMS.with_columns(description=pl.Series(said))
    found = GroundingCheck(said, items).against(lambda k: [k])
    assert (found.kinds["number"].claims, found.kinds["number"].ungrounded) == (3, 3)
    # Of users it is one: their texts were made from it.
    users = GroundingCheck(["likes 1820", "likes 1821"], items).against(lambda k: [0])
    assert [claim.words for claim in users.claims] == ["1821"]


def test_counts() -> None:
    found = GroundingCheck(["OPI, Essie", "1 2 3", "", "soft"], ITEMS).against(lambda k: [k])
    brand, number = found.kinds["brand"], found.kinds["number"]
    assert (brand.claims, brand.ungrounded, brand.texts, brand.texts_ungrounded) == (2, 1, 1, 1)
    assert (number.claims, number.ungrounded, number.texts, number.texts_ungrounded) == (3, 2, 1, 1)
    assert (brand.contradicted, brand.texts_contradicted, number.contradicted) == (1, 1, 0)
    assert found.states() == ["contradicted", "not_carried", "carried", "carried"]
    assert found.share_ungrounded(np.array([True, True, True, True])) == 3 / 5
    assert found.share_ungrounded(np.array([False, False, True, True])) is None


def test_no_texts_no_attributes_and_unknown_rows() -> None:
    assert GroundingCheck([], ITEMS).against(lambda k: [k]).claims == ()
    bare = pl.DataFrame({"item_id": ["a"]})
    assert GroundingCheck(["in 1999"], bare).against(lambda k: [k]).kinds["number"].ungrounded == 1
    with pytest.raises(DataError, match="a history names item 7 of 4"):
        GroundingCheck(["OPI"], ITEMS).against(lambda k: [7])
