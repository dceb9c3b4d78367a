"""How cells weigh own, similar and global embeddings: overall, by group, where context is corrupted."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.attention import Attention, AttentionCell, Weights
from grasp_bench.report.numbers import count, percent, plain
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.spreads import Spread, spreads
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, PageSection, Part, Prose
from grasp_bench.report.page.sections.attention_detail import GROUPS, heat_map, histogram

SPREAD_NOTE = "Dot: median; thick line: the middle half; thin line: from the 5th percentile to the 95th."
HALF_NOTE = "Dashed line: a weight of 0.5, where σ of a logit of zero lies."
AUC_NOTE = "AUC 0.5 (dashed): the weight cannot tell. 1: every corrupted pair weighs less than any clean one."
QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
Alike = Sequence[
    AttentionCell
]  # cells of one method whose weights are the same: seeds on one set of embeddings


def attention_section(material: PageMaterial) -> PageSection | None:
    """All cells beside each other, then each in turn; None where nothing was inspected."""
    found = material.studies.attention
    if found is None or not found["cells"]:
        return None
    alike = _alike(found)
    kinds = dict.fromkeys(cells[0]["attention"] for cells in alike)
    parts: list[Part] = [_overall([c for c in alike if c[0]["attention"] == kind], kind) for kind in kinds]
    corruption = _corruption(alike)
    parts += [corruption] if corruption else []
    parts += [Folded(f"{_named(cells)}: groups and single users", _one(cells)) for cells in alike]
    parts += [Prose(found["notes"], listed=True)] if found["notes"] else []
    return PageSection("attention", "Attention", parts)


def _alike(found: Attention) -> list[Alike]:
    groups: list[list[AttentionCell]] = []
    for cell in found["cells"]:
        for group in groups:
            first = group[0]
            if all(cell[key] == first[key] for key in ("label", "noise", "weights", "heat_maps")):
                group.append(cell)
                break
        else:
            groups.append([cell])
    return list(groups)


def _named(cells: Alike) -> str:
    seeds = [str(cell["seed"]) for cell in cells if cell["seed"] is not None]
    label = cells[0]["label"]
    return f"{label}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else label


def _overall(alike: Sequence[Alike], kind: str) -> Figure:
    """Weights of all history pairs, a row a cell."""
    rows, entries = [], []
    for cells in alike:
        for each in cells[0]["weights"]:
            if each["group"] == "all":
                name = _named(cells)
                rows += _spread(each, name, each["part"])
                scale = plain(cells[0]["scale"].get(each["part"]))
                entries.append([Entry(name), Entry(each["part"]), Entry(scale), *_numbers(each)])
    title = f"Weights of all pairs of users and items, {kind} attention"
    reference = 0.5 if kind == "sigmoid" else None
    picture = draw(title, lambda width: spreads(rows, width, "weight", reference=reference))
    columns = [Column("cell", "left"), Column("part", "left"), Column("factor on logits"), *_columns()]
    notes = [SPREAD_NOTE, *([HALF_NOTE] if reference else [])]
    return Figure(title, [picture], Table(title, columns, entries), notes)


def _one(cells: Alike) -> list[Part]:
    """Groups, histograms where they say more than the spreads, and single users."""
    cell, name = cells[0], _named(cells)
    rows = [row for each in cell["weights"] for row in _spread(each, _group(each), each["part"])]
    noise = f", noise: {cell['noise']}" if cell["noise"] else ""
    parts: list[Part] = [Prose([f"{count(cell['pairs'])} pairs of user and item{noise}."])]
    if rows:
        title = f"Weights by group, {name}"
        picture = draw(title, lambda width: spreads(rows, width, "weight"))
        entries = [[Entry(each["part"]), Entry(_group(each)), *_numbers(each)] for each in cell["weights"]]
        columns = [Column("part", "left"), Column("group", "left"), *_columns()]
        parts.append(Figure(title, [picture], Table(title, columns, entries), [SPREAD_NOTE]))
    for groups, what in ((("all",), "all pairs"), (("clean", "corrupted"), "clean and corrupted context")):
        drawn = histogram([w for w in cell["weights"] if w["group"] in groups], f"{name}, {what}")
        parts += [drawn] if drawn else []
    return [*parts, *(heat_map(one) for one in cell["heat_maps"] if one["items"] and one["parts"])]


def _group(weights: Weights) -> str:
    return GROUPS.get(weights["group"], weights["group"])


def _spread(weights: Weights, label: str, series: str) -> list[Spread]:
    """Nothing of weights without quantiles."""
    values = [weights["quantiles"].get(name) for name in QUANTILES]
    known = [value for value in values if value is not None]
    if len(known) < len(QUANTILES):
        return []
    low, q1, median, q3, high = known
    tip = f"{label}, {series}: median {median:.4f}, middle half {q1:.4f} to {q3:.4f}"
    return [Spread(label, series, low, q1, median, q3, high, tip)]


def _columns() -> list[Column]:
    heads = ["pairs", "mean", "sd", *(f"q {name}" for name in QUANTILES), "within 0.01 of 0.5"]
    return [Column(head) for head in heads]


def _numbers(weights: Weights) -> list[Entry]:
    quantiles = [weights["quantiles"].get(name) for name in QUANTILES]
    texts = [count(weights["count"]), f"{weights['mean']:.4f}", f"{weights['std']:.4f}"]
    texts += [BLANK if value is None else f"{value:.4f}" for value in quantiles]
    return [Entry(text) for text in (*texts, f"{percent(weights['saturated'])} %")]


def _corruption(alike: Sequence[Alike]) -> Figure | None:
    """Can a weight tell corrupted context from clean?"""
    rows, entries = [], []
    for cells in alike:
        for each in cells[0]["corruption"]:
            label = f"{_named(cells)}, {each['side']}"
            rows.append(
                Dot(label, each["part"], each["auc"], f"{label}, {each['part']}: AUC {each['auc']:.3f}")
            )
            texts = (
                _named(cells), each["part"], each["side"], count(each["corrupted"]), count(each["clean"]),
                f"{each['auc']:.4f}", f"{each['correlation']:+.4f}", f"{each['mean_corrupted']:.4f}",
                f"{each['mean_clean']:.4f}",
            )  # fmt: skip
            entries.append([Entry(text) for text in texts])
    if not rows:
        return None
    title = "Do weights tell corrupted context from clean?"
    axis = "AUC: chance that corrupted weighs less"
    picture = draw(title, lambda width: dots(rows, width, axis, reference=0.5))
    left = [Column(head, "left") for head in ("cell", "part", "side")]
    heads = ("corrupted", "clean", "AUC", "correlation", "mean, corrupted", "mean, clean")
    table = Table(title, [*left, *map(Column, heads)], entries)
    return Figure(title, [picture], table, [AUC_NOTE])
