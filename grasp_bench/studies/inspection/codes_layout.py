"""Show inspected semantic IDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import number, share
from grasp_bench.studies.inspection.codes import CodesInspection, Common, Example, InspectedCodes, Prefixes

NOTE = (
    "used: codes of the level that some item has; perplexity: how many there would be, all used alike, with "
    "the same entropy. prefixes: different beginnings up to the level; pairs: of items that agree so far. "
    "Shares are of these pairs, among items of known category and items with a buyer in training; lift: over "
    "all pairs."
)
UNORDERED = "Codes of {method} have no order: a prefix is some of them, and no hierarchy."
NO_ORDER = ("opq", "random", "hash")
SLUGS = 3  # of the cells that read the same codes


def lay_out_codes(found: CodesInspection) -> Document:
    """Arrange one section for each making of codes."""
    lines = [f"not there yet: those of {', '.join(found.missing)}"] if found.missing else []
    return Document(f"Semantic IDs of {found.spec}", lines, [_section(each) for each in found.made])


def _section(made: InspectedCodes) -> Section:
    method = made.settings["method"]
    source = f"{method} of {made.vectors}" if made.vectors else method
    notes = [NOTE, *([UNORDERED.format(method=method)] if method in NO_ORDER else [])]
    heads = [
        "level", "codes", "used", "perplexity", "prefixes", "largest", "pairs", "same category", "lift",
        "a buyer in common", "lift",
    ]  # fmt: skip
    table = Table.of_texts("Levels, and prefixes up to them", heads, list(_rows(made)), notes)
    return Section(f"{source}: {_slugs(made.cells)}", [table], list(_lines(made)))


def _rows(made: InspectedCodes) -> Iterator[list[str]]:
    yield ["all pairs", BLANK, BLANK, BLANK, *_agreeing(made.everyone)]
    levels = zip(made.card["codes"], made.card["used"], made.card["perplexity"], strict=True)
    for level, (codes, used, perplexity) in enumerate(levels, start=1):
        alike = made.prefixes[level - 1] if level <= len(made.prefixes) else None
        agreeing = [f"{made.card['items']:,}", "1", "0", *[BLANK] * 4] if alike is None else _agreeing(alike)
        yield [str(level), f"{codes:,}", f"{used:,}", number(perplexity, 1), *agreeing]


def _agreeing(found: Prefixes) -> list[str]:
    counts = [f"{value:,}" for value in (found.distinct, found.largest, found.pairs)]
    return [*counts, *_common(found.category), *_common(found.buyer)]


def _common(found: Common) -> list[str]:
    return [share(found.share), number(found.lift)]


def _lines(made: InspectedCodes) -> Iterator[str]:
    card, settings = made.card, made.settings
    keys = {key: value for key, value in settings.items() if key not in ("method", "vectors")}
    yield ", ".join(f"{key} {_value(value)}" for key, value in keys.items())
    yield (
        f"{card['collided_items']:,} of {card['items']:,} items ({share(card['collided_share'])}) share all "
        f"codes with another before collisions are resolved, {card['sharing_three']:,} with at least two "
        f"others; the largest group has {card['largest_collision']:,}"
    )
    yield f"{card['distinct']:,} different codes of items afterwards ({settings['collisions']})"
    yield _fidelity(card)
    for example in made.examples:
        yield _example(example)


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fidelity(card: Mapping[str, Any]) -> str:
    if "reconstruction_error" not in card:
        return "the codes stand for no vectors"
    return (
        f"reconstruction error {share(card['reconstruction_error'])} of the variance; "
        f"{share(card['neighbours_kept'])} of the {card['neighbours']} nearest neighbours stay among them"
    )


def _example(example: Example) -> str:
    more = f"; … {example.items:,} in all" if example.items > len(example.titles) else ""
    return f"prefix {'-'.join(map(str, example.prefix))}: {'; '.join(example.titles)}{more}"


def _slugs(cells: tuple[str, ...]) -> str:
    more = f" and {len(cells) - SLUGS} more" if len(cells) > SLUGS else ""
    return f"{', '.join(cells[:SLUGS])}{more}"
