"""Print heat maps on a terminal: a square's colour is its weight."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grasp_bench.core.console import plain
from grasp_bench.studies.attention.report import DIGITS
from grasp_bench.studies.attention.schema import Attention, HeatMap

LATEST = 15  # items of a history that are shown
LOW, HIGH = (38, 60, 110), (250, 200, 70)  # blue to yellow: told apart without telling red from green
BRIGHT = 120  # luma from which black is easier to read than white


def show_heat_maps(found: Attention, console: Console) -> None:
    """Print all heat maps; the colours of each reach from its lowest weight to its highest."""
    for cell in found["cells"]:
        if not cell["heat_maps"]:
            continue
        console.print()
        console.rule(plain(f"Histories, {cell['slug']}", "bold"), align="left")
        for each in cell["heat_maps"]:
            console.print(heat_map(each))


def heat_map(found: HeatMap) -> Table:
    """The latest items of one history, oldest first."""
    values = [weight for weights in found["weights"] for weight in weights]
    low, high = min(values, default=0.0), max(values, default=0.0)
    title = f"user {found['user']}: weights from {low:.{DIGITS}f} to {high:.{DIGITS}f}"
    table = Table(title=plain(title, "bold"), title_justify="left", header_style="bold")
    table.add_column("item")
    for part in found["parts"]:
        table.add_column(plain(part), justify="right")
    first = max(0, len(found["items"]) - LATEST)
    if first:
        table.caption = f"{first} earlier items are left out; --format json has all"
    for place, item in list(enumerate(found["items"]))[first:]:
        table.add_row(plain(item), *_cells(found, place, low, high))
    return table


def _cells(found: HeatMap, place: int, low: float, high: float) -> Iterator[Text]:
    for weights in found["weights"]:
        height = (weights[place] - low) / (high - low) if high > low else 0.5
        colour = tuple(round(a + height * (b - a)) for a, b in zip(LOW, HIGH, strict=True))
        luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
        red, green, blue = colour
        ink = "#000000" if luma > BRIGHT else "#ffffff"
        yield Text(f" {weights[place]:.{DIGITS}f} ", style=f"{ink} on rgb({red},{green},{blue})")
