"""Published figures: a file of a paper's tables, or of rows from many papers, and the key of a spec that
names it. The figures stand beside ours on a board and decide nothing: no hash knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from grasp_bench.spec.controls import ControlName
from grasp_bench.spec.model import BackboneName, EnhancerName
from grasp_bench.spec.section import Section

Group = Literal[
    "head_user", "tail_user", "head_item", "tail_item", "repeat", "new",
    "same_time", "later", "ascending", "descending", "seen_transition", "unseen_transition",
]  # fmt: skip
MetricName = Annotated[str, Field(pattern=r"^(NDCG|HR|MRR)@[1-9][0-9]*$")]
Percent = Annotated[float, Field(ge=0, le=100)]
Figures = Annotated[dict[MetricName, Percent], Field(min_length=1)]
Scalar = str | int | float | bool

WHOLE = "full"  # among ablations: the method itself


class Published(Section):
    """Published figures to stand beside ours, each on the ranking that it is of; they decide nothing.

    `dataset` names the one they were measured on, as the file does. A spec that compares several datasets
    says in `datasets` which published one belongs to which of ours.
    """

    file: str = Field(
        min_length=1, description="Beside the spec: `published/grasp.yaml`, or `grasp` for short."
    )
    dataset: str | None = Field(None, min_length=1, description="Published dataset, e.g. `Beauty`.")
    datasets: dict[str, str] = Field(
        default={}, description="Our dataset to the published one, where there are several."
    )

    @model_validator(mode="after")
    def _one_way_of_naming(self) -> Published:
        if (self.dataset is None) == (not self.datasets):
            raise ValueError("give either dataset or datasets")
        return self


class Source(Section):
    """Where the figures are from."""

    title: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    url: str | None = None
    license: str | None = None


class Tables(Section):
    """What the source calls its tables."""

    datasets: str | None = None
    overall: str | None = None
    groups: str | None = None
    ablations: str | None = None


class PublishedDataset(Section):
    """What the source says of a dataset; `head_*_from` are the thresholds of its groups.

    `actual_users` corrects a count that is known to be misprinted: ours are compared with it.
    """

    users: int = Field(ge=1)
    actual_users: int | None = Field(None, ge=1)
    items: int = Field(ge=1)
    avg_length: float | None = Field(None, gt=0)
    sparsity: float | None = Field(None, ge=0, le=1)
    head_user_from: int | None = Field(None, ge=1)
    head_item_from: int | None = Field(None, ge=1)
    note: str | None = None


class SourcedRow(Section):
    """One line of any paper's table: its method, its source, the ranking, and ours that it stands beside.

    That is a backbone with its enhancer, or a control; without either the row is shown alone.
    """

    label: str = Field(min_length=1)
    source: Source
    ranking: Literal["full", "sampled"]
    loss: str | None = Field(None, min_length=1)
    backbone: BackboneName | None = None
    enhancer: EnhancerName | None = None
    control: ControlName | None = None
    figures: Figures

    @model_validator(mode="after")
    def _beside_one_of_ours(self) -> SourcedRow:
        if (self.backbone is None) != (self.enhancer is None):
            raise ValueError("give both backbone and enhancer, or neither")
        if self.backbone is not None and self.control is not None:
            raise ValueError("give either backbone and enhancer, or control")
        return self


class PublishedFile(Section):
    """A file of published figures in percent.

    `overall`, `groups` and `ablations` are the tables of one `source`, sampled ranking: dataset, backbone,
    enhancer, then group or ablation. `rows` have each a source and a ranking of its own.
    """

    source: Source | None = None
    tables: Tables = Tables()
    settings: dict[str, Scalar] = Field(default={})
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    datasets: dict[str, PublishedDataset] = Field(min_length=1)
    overall: dict[str, dict[str, dict[str, Figures]]] = Field(default={})
    groups: dict[str, dict[str, dict[str, dict[Group, Figures]]]] = Field(default={})
    ablations: dict[str, dict[str, dict[str, dict[str, Figures]]]] = Field(default={})
    rows: dict[str, tuple[SourcedRow, ...]] = Field(default={})


@dataclass(frozen=True)
class PublishedRow:
    """One line of a table: a method (and one group of its users), figures as fractions."""

    table: str
    backbone: str
    enhancer: str
    ablation: str | None
    group: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class PublishedFigures:
    """A file that was read for a spec, and what the spec compares with what."""

    content: PublishedFile
    chosen: Published

    def dataset_for(self, name: str) -> str | None:
        """The published dataset that stands beside ours of this name."""
        return self.chosen.dataset or self.chosen.datasets.get(name)

    def rows(self, dataset: str) -> Iterator[PublishedRow]:
        """Every line about a published dataset, table after table."""
        content, tables = self.content, self.content.tables
        for backbone, enhancer, figures in _lines(content.overall, dataset):
            yield _row(tables.overall, backbone, enhancer, None, "overall", figures)
        for backbone, enhancer, groups in _lines(content.groups, dataset):
            for group, figures in groups.items():
                yield _row(tables.groups, backbone, enhancer, None, group, figures)
        for backbone, enhancer, ablations in _lines(content.ablations, dataset):
            for ablation, figures in ablations.items():
                if ablation != WHOLE:
                    yield _row(tables.ablations, backbone, enhancer, ablation, "overall", figures)

    def sourced(self, dataset: str) -> list[dict[str, Any]]:
        """Every row about a published dataset that has a source of its own, figures as fractions."""
        rows = self.content.rows.get(dataset, ())
        return [{**row.model_dump(mode="json"), "figures": _fractions(row.figures)} for row in rows]


def _lines(
    table: Mapping[str, Mapping[str, Mapping[str, Any]]], dataset: str
) -> Iterator[tuple[str, str, Any]]:
    for backbone, enhancers in table.get(dataset, {}).items():
        for enhancer, entry in enhancers.items():
            yield backbone, enhancer, entry


def _row(
    table: str | None, backbone: str, enhancer: str, ablation: str | None, group: str,
    figures: Mapping[str, float],
) -> PublishedRow:  # fmt: skip
    return PublishedRow(table or "published", backbone, enhancer, ablation, group, _fractions(figures))


def _fractions(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value / 100 for name, value in figures.items()}
