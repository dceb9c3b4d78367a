"""Compare published figures with ours: the same metric of the same method, and our interval.

The tables of the one paper rank among sampled negatives; rows with a source of their own say how they rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grasp_bench.core.errors import DataError
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import ComparableCells, StoredResults
from grasp_bench.report.group_membership import Bools, read_membership
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import Difference, PublishedComparison, PublishedFigure, SourcedEntry
from grasp_bench.report.user_values import TOLERANCE, UserValues
from grasp_bench.stats.intervals import figure_interval
from grasp_bench.stats.pairing import Values
from grasp_bench.stats.trainings import Trainings

SAMPLED = "sampled"
Rows = Sequence[Mapping[str, Any]]
Name = tuple[str | None, str | None, str | None, str | None]  # backbone, enhancer, ablation, control


def compare_published(
    partition: ComparableCells, stored: StoredResults, values: UserValues
) -> PublishedComparison | None:
    """Compare what was published about the methods of a ranking; None where the spec names nothing.

    Raises DataError when the groups' file does not give the means that metrics.json says.
    """
    published = stored.study.published or {}
    dataset = min((method.dataset for method in partition.planned), default="")
    theirs = published.get("datasets", {}).get(dataset)
    if theirs is None:
        return None
    rows, known = theirs["rows"], {key: method for method in partition.planned if (key := _key(method))}
    figures = _Figures(partition, stored, values)
    facts, card = theirs["facts"], stored.study.cards.get(dataset) or {}
    sizes = {"users": facts.get("actual_users", facts["users"]), "items": facts["items"]}
    # Ours is None while the split has left no card.
    data = [Difference(key=key, ours=card.get(key), theirs=size) for key, size in sizes.items()]
    return PublishedComparison(
        source=dict(published.get("source") or {}),
        dataset=theirs["name"],
        data=data,
        other_data=any(fact["ours"] != fact["theirs"] for fact in data),
        settings=list(_settings(published, partition)),
        groups=list(_groups(facts, partition.all_cells)),
        notes=[*published.get("notes", ()), *filter(None, [facts.get("note")])],
        figures=[
            figure
            for method in partition.planned
            if method in partition.cells
            for figure in figures.of_method(method, [row for row in rows if _names(row) == _key(method)])
        ],
        without_ours=sorted({_called(row) for row in rows if _names(row) not in known}),
        sourced=[entry for row in theirs.get("sourced", ()) for entry in _sourced(row, partition, figures)],
    )


def _sourced(row: Mapping[str, Any], partition: ComparableCells, figures: _Figures) -> Iterator[SourcedEntry]:
    """The row beside each of our methods that it is about and has its figures; once alone, without any."""
    about = [method for method in partition.planned if partition.cells.get(method)]
    beside: dict[str | None, list[PublishedFigure]] = {
        figures.stored.labels[method]: found
        for method in about
        if _names(row) == _key(method) and (found := list(figures.of_method(method, [row])))
    }
    for label, found in (beside or {None: []}).items():
        yield SourcedEntry(
            published=row["label"],
            source=dict(row["source"]),
            loss=row["loss"],
            protocol=row["ranking"],
            theirs=dict(row["figures"]),
            label=label,
            figures=found,
        )


@dataclass
class _Figures:
    """Our figures and their intervals; users' groups are read once."""

    partition: ComparableCells
    stored: StoredResults
    values: UserValues

    def __post_init__(self) -> None:
        folders = {cell.folder.parent for cell in self.partition.all_cells}
        self._members = read_membership(folders.pop(), self.partition.protocol_hash) if folders else None

    def of_method(self, method: Method, rows: Rows) -> Iterator[PublishedFigure]:
        cells = self.partition.cells[method]
        for row in rows:
            group, protocol = row.get("group", "overall"), row.get("ranking", SAMPLED)
            for metric, theirs in row["figures"].items():
                ours = [_figure(cell, protocol, group, metric) for cell in cells]
                means = [value for value in ours if value is not None]
                if cells and len(means) == len(cells):
                    yield self._compared(cells, method, row, metric, theirs, means)

    def _compared(
        self, cells: Sequence[ResultCell], method: Method, row: Mapping[str, Any], metric: str,
        theirs: float, means: Sequence[float],
    ) -> PublishedFigure:  # fmt: skip
        group, protocol = row.get("group", "overall"), row.get("ranking", SAMPLED)
        users = [
            self._users(cell, protocol, group, metric, mean) for cell, mean in zip(cells, means, strict=True)
        ]
        known = [each for each in users if each is not None]
        interval = figure_interval(Trainings.of(known)) if len(known) == len(cells) else None
        mean = interval.mean if interval else sum(means) / len(means)
        return PublishedFigure(
            label=self.stored.labels[method],
            table=row.get("table") or row["source"]["reference"],
            group=group,
            metric=metric,
            seeds=[cell.seed for cell in cells if cell.seed is not None],
            ours=mean,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            theirs=theirs,
            difference=mean - theirs,
            inside=interval.low <= theirs <= interval.high if interval and len(cells) > 1 else None,
        )

    def _users(self, cell: ResultCell, protocol: str, group: str, metric: str, mean: float) -> Values | None:
        """Values of the users of a group; None where nobody has written down who they are."""
        values = self.values.of_cell(cell, protocol, metric)
        if group == "overall":
            return values
        if self._members is None or group not in self._members[1]:
            return None
        members: Bools = self._members[1][group]
        if len(members) != len(values) or abs(float(values[members].mean()) - mean) > TOLERANCE:
            raise DataError(
                f"{cell.folder.parent}: the users of {group} do not give the {metric} of {cell.slug}",
                hint="run the spec again: it writes the groups beside the cells",
            )
        return values[members]


def _figure(cell: ResultCell, protocol: str, group: str, metric: str) -> float | None:
    value = ((cell.metrics.get(protocol) or {}).get(group) or {}).get(metric)
    return None if value is None else float(value)


def _key(method: Method) -> Name | None:
    """What a row knows a method by; nothing of an imported run, or of one that was made noisy."""
    if method.noise or method.kind == "imported":
        return None
    return method.backbone, method.enhancer, method.ablation, method.name


def _names(row: Mapping[str, Any]) -> Name:
    return row["backbone"], row["enhancer"], row.get("ablation"), row.get("control")


def _called(row: Mapping[str, Any]) -> str:
    name = f"{row['backbone']}+{row['enhancer']}"
    return f"{name}/{row['ablation']}" if row["ablation"] else name


def _settings(published: Mapping[str, Any], partition: ComparableCells) -> Iterator[Difference]:
    """Settings that the source tells and that some cell has otherwise; ours as `4 / 8` where cells differ."""
    cells = [cell for cell in partition.all_cells if cell.method.kind == "trained"]
    for key, theirs in (published.get("settings") or {}).items():
        ours = {repr(value): value for cell in cells if (value := _setting(cell, key)) is not None}
        if any(value != theirs for value in ours.values()):
            yield Difference(key=key, ours=" / ".join(map(str, ours.values())), theirs=theirs)
    seeds = {seed for planned in partition.planned.values() for seed in planned}
    theirs = published.get("seeds") or []
    if theirs and seeds != set(theirs):
        yield Difference(
            key="seeds", ours=", ".join(map(str, sorted(seeds))), theirs=", ".join(map(str, theirs))
        )


def _groups(facts: Mapping[str, Any], cells: Sequence[ResultCell]) -> Iterator[Difference]:
    """Thresholds of head and tail there, and what makes a head here."""
    for key in ("head_user_from", "head_item_from"):
        groups = [cell.info.get("settings", {}).get("protocol", {}).get("groups", {}) for cell in cells]
        rules = {str(each.get(key) or each.get("rule")) for each in groups}
        if key in facts and rules and rules != {str(facts[key])}:
            yield Difference(
                key=f"dataset.protocol.groups.{key}", ours=" / ".join(sorted(rules)), theirs=facts[key]
            )


def _setting(cell: ResultCell, key: str) -> Any:
    """A setting by its key in a spec; cell.json keeps `dataset.protocol` as `protocol`."""
    value: Any = cell.info.get("settings", {})
    for part in key.removeprefix("dataset.").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
