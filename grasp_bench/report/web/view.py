"""Which part of a board is shown. A view is the query of an address, so that a link shows the same again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.shown import shown_line
from grasp_bench.core.words import did_you_mean
from grasp_bench.report.formatting import GROUP_HEADS
from grasp_bench.report.rows import measured_metrics
from grasp_bench.report.schema import PROTOCOLS, Board, Row


@dataclass(frozen=True)
class View:
    """What a reader has chosen; an empty text means all, or what the study says.

    Names are as a page shows them: control characters are escaped, because forms would change them.
    """

    q: str = ""
    dataset: str = ""
    backbone: str = ""
    enhancer: str = ""
    protocol: str = ""
    metric: str = ""
    group: str = ""
    only: str = ""
    method: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: QueryParams) -> View:
        """Read the query of an address; keys of no meaning are ignored."""
        names = [field.name for field in fields(cls) if field.name != "method"]
        method = tuple(dict.fromkeys(query.getlist("method")))
        return cls(**{name: query.get(name, "").strip() for name in names}, method=method)

    def link(self, **changes: Any) -> str:
        """The query of this view with other values."""
        values = asdict(replace(self, **changes))
        return "?" + urlencode({key: value for key, value in values.items() if value}, doseq=True)


@dataclass(frozen=True)
class Choice:
    """A field of the form: values with the words for them. `every` stands for no choice."""

    name: str
    label: str
    every: str
    options: Mapping[str, str]
    chosen: str

    def require_known(self) -> None:
        """Raise UnknownNameError for a choice that there is not."""
        if self.chosen and self.chosen not in self.options:
            raise UnknownNameError(
                f"{self.label} '{self.chosen}' is not here{did_you_mean(self.chosen, self.options)}",
                hint=f"choose one of: {', '.join(self.options)}",
            )


def choices_of_board(board: Board, view: View) -> list[Choice]:
    """The form of a board. Raises UnknownNameError for what is not on the board."""
    rankings = board["rankings"]
    rows = [row for ranking in rankings for row in ranking["rows"]]
    metrics = measured_metrics(rankings)
    protocols = [name for name in PROTOCOLS if any(name in ranking["protocols"] for ranking in rankings)]
    measured = {group for row in rows for groups in row["values"].values() for group in groups}
    groups = {group: head for group, head in GROUP_HEADS.items() if group in measured}
    made = [
        *choices_of_cells(
            [ranking["dataset"] for ranking in rankings], (row["coordinates"] for row in rows), view
        ),
        Choice("protocol", "ranking", "all", {name: name for name in protocols}, view.protocol),
        Choice("metric", "metric", board["metric"], {name: name for name in metrics}, view.metric),
        Choice("group", "group", "all users", groups, view.group),
    ]
    for choice in made:
        choice.require_known()
    return made


def choices_of_cells(datasets: Iterable[str], cells: Iterable[Mapping[str, Any]], view: View) -> list[Choice]:
    """Datasets, and the backbones and enhancers of cells."""
    cells = list(cells)
    names = {
        "dataset": list(datasets),
        **{key: sorted({str(cell[key]) for cell in cells if cell[key]}) for key in ("backbone", "enhancer")},
    }
    return [
        Choice(key, key, "all", {shown_line(name): shown_line(name) for name in found}, getattr(view, key))
        for key, found in names.items()
    ]


def fits(cell: Mapping[str, Any], view: View) -> bool:
    """Whether a cell or a row has the chosen backbone and enhancer; controls that have none fit any."""
    chosen = {"backbone": view.backbone, "enhancer": view.enhancer}
    return all(not value or shown_line(cell[key] or value) == value for key, value in chosen.items())


def narrowed(board: Board, view: View) -> Board:
    """The board less the rankings that are not asked for. Rows stay: places and tiers are those of all."""
    kept = [r for r in board["rankings"] if view.dataset in ("", shown_line(r["dataset"]))]
    if view.protocol:
        for index, ranking in enumerate(kept):
            kept[index] = {
                **ranking,
                "protocols": [name for name in ranking["protocols"] if name == view.protocol],
                "noise": [each for each in ranking["noise"] if each["protocol"] == view.protocol],
            }
    return {**board, "rankings": kept}


def hidden_rows(rows: Sequence[Row], view: View) -> list[Row]:
    """Rows of a board that the view does not show."""
    only = view.method if view.only else ()
    return [
        row
        for row in rows
        if not fits(row["coordinates"], view) or (only and shown_line(row["label"]) not in only)
    ]
