"""`published:` — published figures, from one paper's tables or as rows of many papers, and their file format.

Boards print them beside measured figures; they are part of no hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from grasp_bench.components import ENHANCERS
from grasp_bench.spec.controls import ControlName
from grasp_bench.spec.model import BackboneName, EnhancerName
from grasp_bench.spec.section import MetricName, Section

Group = Literal[
    "head_user", "tail_user", "head_item", "tail_item", "repeat", "new",
    "same_time", "later", "ascending", "descending", "seen_transition", "unseen_transition",
]  # fmt: skip
Percent = Annotated[float, Field(ge=0, le=100)]
Figures = Annotated[dict[MetricName, Percent], Field(min_length=1)]
Scalar = str | int | float | bool

WHOLE = "full"  # among ablations: the unablated method


class Published(Section):
    """Published figures that boards print beside measured ones of the same ranking.

    `dataset` is the file's name for the published dataset. A spec that compares several datasets maps each to
    the published one in `datasets`.
    """

    file: str = Field(
        min_length=1, description="Path from the spec: `published/grasp.yaml`, or `grasp` for short."
    )
    dataset: str | None = Field(None, min_length=1, description="Published dataset, e.g. `Beauty`.")
    datasets: dict[str, str] = Field(
        default={}, description="Dataset of the spec to the published one, if there are several."
    )

    @model_validator(mode="after")
    def _one_way_of_naming(self) -> Published:
        if (self.dataset is None) == (not self.datasets):
            raise ValueError("give either dataset or datasets")
        return self


class Source(Section):
    """The source of figures."""

    title: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    url: str | None = None
    license: str | None = None


class Tables(Section):
    """The names of the tables in the source."""

    datasets: str | None = None
    overall: str | None = None
    groups: str | None = None
    ablations: str | None = None


class PublishedDataset(Section):
    """A dataset's statistics in the source; `head_*_from` are the thresholds of its groups.

    `actual_users` corrects a misprinted count; measured counts are compared with it.
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
    """One line of a paper's table: label, source, ranking, and the measured method to print it beside.

    That method is a backbone with an enhancer, an enhancer that is a network of its own, or a control;
    without any the row is printed alone.
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
        whole = self.enhancer is not None and ENHANCERS.get(self.enhancer).whole_model
        if whole and self.backbone is not None:
            raise ValueError(f"leave backbone out: {self.enhancer} is a network of its own")
        if not whole and (self.backbone is None) != (self.enhancer is None):
            raise ValueError("give both backbone and enhancer, or neither")
        if self.enhancer is not None and self.control is not None:
            raise ValueError("give either backbone and enhancer, or control")
        return self


class PublishedFile(Section):
    """A file of published figures in percent.

    `overall`, `groups` and `ablations` are the tables of one `source`, sampled ranking: dataset, backbone,
    enhancer, then group or ablation. Each of `rows` has its own source and ranking.
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
    """A file of published figures, and the `published:` section that names it."""

    content: PublishedFile
    chosen: Published

    def dataset_for(self, name: str) -> str | None:
        """Return the published dataset for one of the spec's, by name; None without one."""
        return self.chosen.dataset or self.chosen.datasets.get(name)

    def rows(self, dataset: str) -> Iterator[PublishedRow]:
        """Yield every line about a published dataset, table after table."""
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
        """Return the `rows` about a published dataset, figures as fractions."""
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
