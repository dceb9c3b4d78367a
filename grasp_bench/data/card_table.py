"""Lay out the dataset card for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import TextType

from grasp_bench.core.console import plain
from grasp_bench.data.card import Card

BAR_WIDTH = 40
ASCENDING = {
    "neighbours": "ascending neighbours",
    "valid_to_test": "ascending, validation to test",
    "tied": "ascending among ties",
}
REPAIRS = {
    "duplicate_items": "rows of items listed twice",
    "unknown_items": "interactions with unlisted items",
    "low_ratings": "interactions below min_rating",
    "duplicates": "duplicate interactions",
    "repeats": "repeats of a user and item left out",
    "beyond_max_history": "interactions beyond max_history",
    "unsorted": "interactions out of order",
    "time_ties": "interactions of equal time",
    "missing_titles": "items without a title",
}


def card_table(card: Card) -> RenderableType:
    """Lay out a card of `card_of` for a terminal."""
    warnings = [plain(f"Note: {line}", "warning") for line in card["warnings"]]
    files = [_files(card["files"])] if "files" in card else []
    return Group(_facts(card), _lengths(card), *files, _findings(card), *warnings)


def _facts(card: Card) -> Table:
    title = plain(f"Dataset card: {card['name']}", "table.title")
    table = _table(title, ("left", "bold"), ("right", ""), ("left", "dim"))
    clones, lengths, filtered = card["cloned_users"], card["lengths"], card["filtered"]
    left_out = ", ".join(
        f"{filtered[f'{what}_left_out']:,} {what}" for what in ("users", "items", "interactions")
    )
    table.add_row("users", f"{card['users']:,}", f"{card['evaluated_users']:,} evaluated")
    table.add_row("items", f"{card['items']:,}", "")
    table.add_row("interactions", f"{card['interactions']:,}", f"density {card['density']:.2e}")
    table.add_row("left out by filters", "", left_out)
    table.add_row(
        "length of histories",
        f"{lengths['mean']:.2f}",
        f"mean; min {lengths['min']}, median {lengths['median']:g}, max {lengths['max']}",
    )
    table.add_row("repeat targets", _percent(card["repeat_targets"]), "already in the user's own history")
    table.add_row("unseen targets", _percent(card["unseen_targets"]), "item in no training sequence")
    for key, words in (("given_split", "interactions by part"), ("cold_items", "cold items")):
        if key in card:
            counts = (f"{count:,} {name.replace('_', ' ')}" for name, count in card[key].items())
            table.add_row(words, "", plain(", ".join(counts)))
    if "temporal" in card:
        _add_windows(table, card["temporal"])
    table.add_row("cloned users", _percent(clones["any"]), "share their exact sequence with somebody")
    table.add_row("", _percent(clones["ten_or_more"]), "with ten or more others")
    ties = card["time_ties"]
    tied_users = f"equal to the one before; {_percent(ties['users'])} of users have some"
    table.add_row(plain(f"ties in {card['order']}"), f"{ties['interactions']:,}", tied_users)
    _add_order(table, card["item_order"])
    for column, count in card["items_with_text"].items():
        table.add_row(plain(f"items with {column}"), f"{count:,}", _percent(count / card["items"]))
    return table


def _add_windows(table: Table, found: Card) -> None:
    """Add the rows of a split in time: cuts, parts, and what is left out."""
    cuts = (
        date or f"{found[key]:g}"
        for date, key in zip(found["dates"], ("valid_from", "test_from"), strict=True)
    )
    parts = (f"{count:,} {name.replace('_', ' ')}" for name, count in found["interactions"].items())
    table.add_row("cuts", "", plain(" and ".join(cuts)))
    table.add_row("interactions by part", "", plain(", ".join(parts)))
    table.add_row(
        "validated users", f"{found['validated_users']:,}", "with a target in the validation window"
    )
    left_out = f"left out, with {found['interactions_without_history']:,} interactions"
    table.add_row("users without history", f"{found['users_without_history']:,}", left_out)
    table.add_row("cold items", f"{found['cold_items']:,}", "in the catalogue, never in training")


def _add_order(table: Table, found: Card) -> None:
    """Add the shares of pairs whose item id ascends; by chance a half does."""
    for key, name in ASCENDING.items():
        pairs = found[key]
        if pairs is not None and pairs["pairs"]:
            words = f"by item id, of {pairs['pairs']:,}"
            if key != "tied" and not found["numbered_by_appearance"]:
                words += f"; as if {_percent(pairs['implied_ties'])} were ties"
            table.add_row(name, _percent(pairs["ascending"]), words)
    if found["numbered_by_appearance"]:
        table.add_row("", "", "ids are numbers in the order of the file, and ascend for that")


def _lengths(card: Card) -> Table:
    table = _table("Users by length of history", ("right", "bold"), ("right", ""), ("left", "cyan"))
    most = max(part["users"] for part in card["lengths"]["histogram"])
    for part in card["lengths"]["histogram"]:
        low, high, users = part["from"], part["to"], part["users"]
        label = f"{low}" if low == high else f"{low} and more" if high is None else f"{low}–{high}"
        table.add_row(label, f"{users:,}", "█" * max(1, round(BAR_WIDTH * users / most)))
    return table


def _files(files: Card) -> Table:
    table = _table("Files", ("left", "bold"), ("left", ""))
    for found in files.values():
        table.add_row(plain(found["file"]), plain(found["read_as"]))
        if "times" in found:
            table.add_row("", "times in {unit}, {first} to {last}".format(**found["times"]))
        if "nested_columns_left_out" in found:
            table.add_row("", plain(f"nested, left out: {', '.join(found['nested_columns_left_out'])}"))
    return table


def _findings(card: Card) -> Table:
    table = _table("Found while reading", ("left", "bold"), ("right", ""))
    for key, words in REPAIRS.items():
        if key in card["repairs"]:
            table.add_row(words, f"{card['repairs'][key]:,}")
    return table


def _table(title: TextType, *columns: tuple[JustifyMethod, str]) -> Table:
    """Make a table without a header, given the justification and style of each column."""
    table = Table(title=title, box=box.SIMPLE_HEAD, show_header=False)
    for justify, style in columns:
        table.add_column(justify=justify, style=style)
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
