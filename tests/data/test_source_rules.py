"""The published rules against a plain transcription of them, on random reviews and on the real Fashion."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import Review, review_2018, reviews_of, write_json

from grasp_bench.data.sources import amazon, rules
from grasp_bench.data.sources.rules import KeptReviews, Rule, apply_rule

REVIEWS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.sampled_from("uvwxyz"),
        st.sampled_from([-1.0, 0.0, 0.5, 1.0, 5.0]),
        st.integers(0, 4),
    ),
    max_size=60,
)


def plain_fashion(found: list[Review]) -> list[Review]:
    """Drop ratings <= 0; group by user; sort by time; drop rare users and items until none is left."""
    sequences: dict[str, list[Review]] = {}
    for review in found:
        if review[2] > 0:
            sequences.setdefault(review[0], []).append(review)
    for user in sequences:
        sequences[user] = sorted(sequences[user], key=lambda review: review[3])
    while True:
        items = Counter(review[1] for sequence in sequences.values() for review in sequence)
        rare_users = [user for user, sequence in sequences.items() if len(sequence) < 3]
        if not rare_users and all(count >= 2 for count in items.values()):
            return [review for sequence in sequences.values() for review in sequence]
        for user in rare_users:
            del sequences[user]
        for user, sequence in sequences.items():
            sequences[user] = [review for review in sequence if items[review[1]] >= 2]


def plain_beauty(found: list[Review], least: int = 5) -> list[Review]:
    """Count over the whole file; then take each review whose counts both suffice."""
    users, items = Counter(review[0] for review in found), Counter(review[1] for review in found)
    sequences: dict[str, list[Review]] = {}
    for review in found:
        if users[review[0]] >= least and items[review[1]] >= least:
            sequences.setdefault(review[0], []).append(review)
    return [review for sequence in sequences.values() for review in sorted(sequence, key=lambda one: one[3])]


def plainly(kept: KeptReviews) -> list[Review]:
    return list(zip(kept.users, kept.items, kept.ratings.tolist(), kept.times.tolist(), strict=True))


def by_rule(found: list[Review], rule: Rule, folder: Path) -> list[Review]:
    encoded = (rules.Review(user.encode(), item.encode(), *rest) for user, item, *rest in found)
    return plainly(apply_rule(encoded, rule, folder))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module", autouse=True)
def crowded_sieve() -> object:
    """Few slots, so that keys share them, as millions do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "SLOTS", 8)
        yield


@given(found=REVIEWS)
@settings(max_examples=100)
def test_fashion_as_transcribed(found: list[Review], scratch: Path) -> None:
    assert by_rule(found, amazon.FASHION, scratch) == plain_fashion(found)


@given(found=REVIEWS, least=st.integers(1, 6))
@settings(max_examples=100)
def test_beauty_as_transcribed(found: list[Review], least: int, scratch: Path) -> None:
    rule = Rule(least, least, "single_pass")
    assert by_rule(found, rule, scratch) == plain_beauty(found, least)


def test_the_rules_are_those_of_the_papers() -> None:
    assert Rule(3, 2, "iterated", rating_above=0.0) == amazon.FASHION
    assert Rule(5, 5, "single_pass", rating_above=None) == amazon.BEAUTY
    assert Rule(5, 5, "iterated", rating_above=None) == amazon.BEAUTY_5CORE


def test_beauty_counts_reviews_that_do_not_stay(scratch: Path) -> None:
    """One pass: a user keeps the count of reviews of items that are too rare."""
    found = [("u", "often", 5.0, time) for time in range(2)] + [("u", f"once{k}", 5.0, k) for k in range(3)]
    found += [(f"v{k}", "often", 5.0, k) for k in range(3)]
    assert by_rule(found, amazon.BEAUTY, scratch) == found[:2]


def test_users_come_in_the_order_of_their_first_review_even_if_it_is_dropped(scratch: Path) -> None:
    """Fashion groups before it filters, Beauty filters before it groups."""
    rest = [(user, item, 5.0, 1) for user in "ba" for item in "xyz"]
    found = [("a", "once", 5.0, 9), *rest]
    assert [review[0] for review in by_rule(found, amazon.FASHION, scratch)] == list("aaabbb")
    assert by_rule(found, Rule(3, 2, "single_pass"), scratch)[0][0] == "b"


def test_no_more_is_remembered_than_may_stay(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a million users with one review each leave no trace in the second pass."""
    monkeypatch.setattr(rules, "SLOTS", 1 << 24)
    core = [(f"c{user}", f"i{item}", 5.0, item) for user in range(3) for item in range(3)]
    found = [(f"n{k}", "i0", 5.0, k) for k in range(20_000)] + core
    stored: list[int] = []
    real = rules.iterated
    monkeypatch.setattr(
        rules, "iterated", lambda user, *rest: (stored.append(len(user)), real(user, *rest))[1]
    )
    assert by_rule(found, amazon.FASHION, scratch) == core
    assert stored[0] < 100


def test_the_real_fashion_comes_out_of_a_raw_file_with_noise(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its interactions, scattered over a raw file among reviews that must go, come out row by row."""
    monkeypatch.setattr(rules, "SLOTS", 1 << 20)
    with (data_root / "amazon-fashion" / "interactions.csv").open() as stream:
        published = [(row["user_id"], row["item_id"]) for row in csv.DictReader(stream)]
    raw = _scattered(published, random.Random(5))
    write_json(tmp_path / "AMAZON_FASHION.json.gz", map(review_2018, raw))
    kept = apply_rule(reviews_of(tmp_path / "AMAZON_FASHION.json.gz"), amazon.FASHION, tmp_path)
    numbers: list[dict[str, str]] = [{}, {}]
    numbered = [
        tuple(ids.setdefault(name, str(len(ids) + 1)) for ids, name in zip(numbers, pair, strict=True))
        for pair in zip(kept.users, kept.items, strict=True)
    ]
    assert numbered == published  # the published ids are those of first appearance
    assert (kept.read, kept.rated) == (len(raw), len(raw) - 5000)


def _scattered(published: list[tuple[str, str]], rng: random.Random) -> list[Review]:
    """A file in which first reviews of users keep their order and nothing else does but ties of time."""
    file: list[tuple[tuple[int, float], Review]] = []
    time, before, place = 0, "", 0.0
    for number, (user, item) in enumerate(published):
        begins = user != before
        step = 0 if begins else rng.choice([0, 0, 86_400])
        time = rng.randrange(1_200_000_000, 1_500_000_000, 86_400) if begins else time + step
        # Equal times must stay in order; a later time may stand anywhere behind the first review.
        place = (place + rng.random() / 100) if step == 0 and not begins else rng.random()
        key = (0, float(number)) if begins else (1, place)
        if begins:
            place = 0.0
        file.append((key, (f"A{user}", f"B{item}", float(rng.randint(1, 5)), time)))
        before = user
    users = [f"A{user}" for user, _ in published]
    noise: list[Review] = [(rng.choice(users), "B1", 0.0, 1) for _ in range(5000)]
    noise += [(f"N{k // 2}", rng.choice(["B1", f"M{k}"]), 5.0, 2) for k in range(8000)]  # two a user at most
    noise += [(rng.choice(users), f"L{k}", 5.0, 3) for k in range(3000)]  # items of one review
    file += [((2, rng.random()), review) for review in noise]
    return [review for _, review in sorted(file, key=lambda entry: entry[0])]
