"""Words that claim a colour, an audience, a place or a price level, and sizes: claims that need no catalogue.

Each vocabulary maps the ways to say a value to the value: "Japanese" and "Japan" are one place. Words of more
than one use ("rose", "turkey", "value") are left out: a claim that is not found is better than a false one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from grasp_bench.text.lexicons import Lexicon, Tokens, is_number, tokens_of

COLOURS = {
    "red": "red, crimson, scarlet", "pink": "pink, fuchsia, magenta", "orange": "orange", "yellow": "yellow",
    "green": "green, emerald", "blue": "blue, navy, turquoise", "purple": "purple, violet, lavender, lilac",
    "brown": "brown, chestnut", "black": "black", "white": "white", "grey": "grey, gray",
    "silver": "silver", "gold": "gold, golden", "beige": "beige, taupe",
}  # fmt: skip
AUDIENCES = {
    "women": "women, woman, womens, ladies, lady, female, females, girls, girl",
    "men": "men, man, mens, gentlemen, male, males, boys, boy, guys",
    "children": "children, child, childrens, kids, kid, baby, babies, infants, infant, toddlers, toddler",
    "teenagers": "teenagers, teenager, teens, teen",
}
PRICES = {
    "high": "luxury, luxurious, premium, high end, upscale, expensive, pricey, exclusive, lavish",
    "low": "cheap, inexpensive, affordable, budget, low cost, low price, discounted, economical",
}
PLACES = {
    "africa": "africa, african, ghana, ghanaian, nigeria, nigerian, kenya, kenyan, ethiopia, ethiopian",
    "south africa": "south africa, south african", "morocco": "morocco, moroccan", "egypt": "egypt, egyptian",
    "usa": "usa, united states, america, american, california, new york, hollywood, los angeles, texas",
    "canada": "canada, canadian", "mexico": "mexico, mexican", "brazil": "brazil, brazilian",
    "uk": "uk, united kingdom, britain, british, england, london, scotland, scottish",
    "ireland": "ireland, irish", "france": "france, french, paris, parisian",
    "germany": "germany, german",
    "italy": "italy, italian, milan", "spain": "spain, spanish", "switzerland": "switzerland, swiss",
    "sweden": "sweden, swedish",
    "denmark": "denmark, danish", "netherlands": "netherlands, dutch", "greece": "greece, greek",
    "russia": "russia, russian", "israel": "israel, israeli, dead sea", "india": "india, indian",
    "china": "china, chinese", "japan": "japan, japanese, tokyo", "korea": "korea, korean, seoul",
    "thailand": "thailand, thai", "indonesia": "indonesia, indonesian", "australia": "australia, australian",
    "new zealand": "new zealand", "hawaii": "hawaii, hawaiian",
}  # fmt: skip
UNITS = {
    "oz": "oz, ounce, ounces, fl oz, fluid ounce, fluid ounces, fl ounce", "g": "g, gr, gram, grams, gm",
    "mg": "mg, milligram, milligrams", "kg": "kg, kilogram, kilograms", "lb": "lb, lbs, pound, pounds",
    "ml": "ml, milliliter, milliliters, millilitre, millilitres", "l": "l, liter, liters, litre, litres",
    "cm": "cm, centimeter, centimeters", "mm": "mm, millimeter, millimeters", "inch": "inch, inches",
    "pieces": "pack, packs, pcs, pc, piece, pieces, count, ct, tablets, capsules, caps, pairs, sheets",
}  # fmt: skip
SIZE = "size"


@dataclass(frozen=True)
class Found:
    """A claim as it was found: its value, and the words that make it."""

    value: str
    words: Tokens


@dataclass(frozen=True)
class Vocabulary:
    """The values of one kind, by the ways to say them."""

    kind: str
    values: Mapping[Tokens, str]
    lexicon: Lexicon

    def find(self, tokens: Sequence[str]) -> Iterator[Found]:
        """Yield what a text claims, from left to right."""
        return (Found(self.values[words], words) for words in self.lexicon.find(tokens))


def _vocabulary(kind: str, said: Mapping[str, str]) -> Vocabulary:
    ways = {tuple(tokens_of(way)): value for value, listed in said.items() for way in listed.split(",")}
    return Vocabulary(kind, ways, Lexicon(kind, frozenset(ways)))


@cache
def vocabularies() -> tuple[Vocabulary, ...]:
    """The vocabularies of all kinds but sizes."""
    said = {"colour": COLOURS, "audience": AUDIENCES, "place": PLACES, "price": PRICES}
    return tuple(_vocabulary(kind, values) for kind, values in said.items())


@cache
def _units() -> Vocabulary:
    return _vocabulary("unit", UNITS)


def sizes(tokens: Sequence[str]) -> Iterator[Found]:
    """Yield numbers with a unit, such as `0.5 oz` of "0.50 fluid ounces", and `6 pieces` of "pack of 6".

    A unit may stand before its number only with "of" between them.
    """
    units = _units()
    for place, token in enumerate(tokens):
        if not is_number(token):
            continue
        after = next(iter(units.lexicon.find(tokens[place + 1 : place + 3])), None)
        if after is not None and tuple(tokens[place + 1 : place + 1 + len(after)]) == after:
            yield Found(f"{token} {units.values[after]}", (token, *after))
        elif place >= 2 and tokens[place - 1] == "of" and (tokens[place - 2],) in units.values:
            before = (tokens[place - 2],)
            yield Found(f"{token} {units.values[before]}", (*before, "of", token))


def same_unit(value: str) -> str:
    """Return the unit of a size: sizes of one unit exclude each other, ounces and pieces do not."""
    return value.rpartition(" ")[2]
