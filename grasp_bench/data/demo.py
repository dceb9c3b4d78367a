"""Generate the demo dataset: synthetic, deterministic, in memory.

A fictional shop sells 600 items: 10 categories in 10 styles, six items each. A category in a style is an
*interest*; its titles share words, so its items are neighbours in meaning. Each of 1,500 users has two or
three interests, mostly of one style, drifts between them, and seldom buys an item again. Within an interest
some items are popular and the others rare: for those, text says more than identity. The enhanced models are
made for this situation, so results on this dataset show that the code works and are no evidence about
methods.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.data.made import MadeDataset

SEED = 20_251_120
NUM_USERS = 1500
ITEMS_PER_INTEREST = 6
SHORTEST, LONGEST = 5, 30
MEAN_LENGTH = 11
DRIFT = 0.2  # chance that the next interaction belongs to another of the user's interests
BROWSING = 0.06  # chance that it belongs to any interest at all
REBUYING = 0.04  # chance that it is something the user has already
SAME_STYLE = 0.7  # chance that a further interest has the style of the first
POPULARITY = 0.8  # exponent of the skew between interests, and between the items of one
FIRST_SECOND, SECONDS_APART = 1_700_000_000, 3600

CATEGORIES = {
    "Lighting": ("table lamp", "lantern", "wall sconce", "candle holder", "string lights", "desk light"),
    "Kitchen": ("coffee mug", "teapot", "mixing bowl", "cutting board", "spice jar", "apron"),
    "Bedding": ("pillow", "quilt", "blanket", "bed sheet", "duvet cover", "mattress pad"),
    "Stationery": ("notebook", "fountain pen", "desk calendar", "envelope set", "sketch pad", "bookmark"),
    "Garden": ("watering can", "flower pot", "bird feeder", "garden trowel", "wind chime", "bench"),
    "Bags": ("backpack", "tote bag", "wallet", "suitcase", "pencil case", "lunch bag"),
    "Jewellery": ("necklace", "bracelet", "ear rings", "brooch", "ring", "hair pin"),
    "Toys": ("wooden puzzle", "board game", "toy train", "rag doll", "kite", "building blocks"),
    "Sports": ("yoga mat", "water bottle", "jump rope", "tennis racket", "swim goggles", "gym towel"),
    "Music": ("ukulele", "hand drum", "harmonica", "music box", "guitar strap", "kazoo"),
}
STYLES = {
    "nautical": ("sailor striped", "anchor print"),
    "woodland": ("forest fox", "mossy oak"),
    "space": ("galaxy rocket", "starry astronaut"),
    "vintage": ("antique brass", "retro faded"),
    "tropical": ("palm leaf", "parrot hibiscus"),
    "gothic": ("black raven", "dark cathedral"),
    "pastel": ("pale pink", "soft lavender"),
    "desert": ("cactus bloom", "sandy terracotta"),
    "winter": ("snowflake knit", "icy reindeer"),
    "neon": ("glowing fluorescent", "electric laser"),
}
BRANDS = ("Exampla", "Placeholder & Daughters", "Lorem Works", "Foobarton", "Notareal Goods", "Synthetica")
UNBRANDED = 0.25

Floats = NDArray[np.float64]
INTERESTS = list(product(range(len(CATEGORIES)), range(len(STYLES))))
STYLE_OF = np.array([style for _, style in INTERESTS])


class Demo(MadeDataset):
    """The dataset `demo`."""

    def interactions(self) -> pl.DataFrame:
        """Generate all histories."""
        return interactions()

    def items(self) -> pl.DataFrame:
        """Generate the catalogue."""
        return items()


@cache
def items() -> pl.DataFrame:
    """Generate the catalogue: item_id, title, brand (null for a quarter), categories."""
    rng = np.random.default_rng([SEED, 0])
    categories, styles = list(CATEGORIES.items()), list(STYLES.items())
    rows = []
    for interest, place in product(range(len(INTERESTS)), range(ITEMS_PER_INTEREST)):
        category, style = INTERESTS[interest]
        name, nouns = categories[category]
        word, looks = styles[style]
        brand = None if rng.random() < UNBRANDED else BRANDS[rng.integers(len(BRANDS))]
        title = f"{word.capitalize()} {nouns[place]}, {looks[place % len(looks)]} design"
        rows.append((_item_id(interest, place), title, brand, f"{name} > {word.capitalize()}"))
    return pl.DataFrame(rows, schema=["item_id", "title", "brand", "categories"], orient="row")


@cache
def interactions() -> pl.DataFrame:
    """Generate all histories: user_id, item_id, timestamp (no ties), 5 to 30 rows a user, in order."""
    rng = np.random.default_rng([SEED, 1])
    interest_weights = _skewed(rng, len(INTERESTS))
    item_weights = np.stack([_skewed(rng, ITEMS_PER_INTEREST) for _ in INTERESTS])
    rows = [
        (
            f"demo-user-{user:04d}",
            _item_id(interest, place),
            FIRST_SECOND + SECONDS_APART * (40 * user + step),
        )
        for user in range(NUM_USERS)
        for step, (interest, place) in enumerate(_history(rng, interest_weights, item_weights))
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def _item_id(interest: int, place: int) -> str:
    return f"demo-item-{interest * ITEMS_PER_INTEREST + place:03d}"


def _skewed(rng: np.random.Generator, size: int) -> Floats:
    """Zipf-like weights in random order, with sum one."""
    weights = rng.permutation(1.0 / np.arange(1, size + 1) ** POPULARITY)
    return np.asarray(weights / weights.sum())


def _history(
    rng: np.random.Generator, interest_weights: Floats, item_weights: Floats
) -> list[tuple[int, int]]:
    """Draw one user's (interest, place) pairs."""
    own = _interests_of_a_user(rng, interest_weights)
    # Sorting log weights plus Gumbel noise is weighted drawing without replacement.
    order = np.argsort(-(np.log(item_weights) + rng.gumbel(size=item_weights.shape)), axis=1)
    used = np.zeros(len(INTERESTS), dtype=np.int64)
    length = int(np.clip(SHORTEST + rng.geometric(1 / (MEAN_LENGTH - SHORTEST)) - 1, SHORTEST, LONGEST))
    current = own[0]
    bought: list[tuple[int, int]] = []
    while len(bought) < length:
        if bought and rng.random() < REBUYING:
            bought.append(bought[rng.integers(len(bought))])
            continue
        if rng.random() < DRIFT:
            current = own[rng.integers(len(own))]
        interest = int(rng.integers(len(INTERESTS))) if rng.random() < BROWSING else current
        if used[interest] == ITEMS_PER_INTEREST:
            # All bought: choose another interest of the same style, or any. 600 items outlast 30 purchases.
            left = np.flatnonzero(used < ITEMS_PER_INTEREST)
            similar = left[STYLE_OF[left] == STYLE_OF[interest]]
            interest = int(rng.choice(similar if len(similar) else left))
        bought.append((interest, int(order[interest, used[interest]])))
        used[interest] += 1
    return bought


def _interests_of_a_user(rng: np.random.Generator, weights: Floats) -> list[int]:
    first = int(rng.choice(len(INTERESTS), p=weights))
    own = [first]
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < SAME_STYLE:
            own.append(int(rng.choice(np.flatnonzero(STYLE_OF[first] == STYLE_OF))))
        else:
            own.append(int(rng.choice(len(INTERESTS), p=weights)))
    return own
