"""How cells weigh own, similar and global embeddings: all pairs, groups, corrupted context, single users."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.attention import AttentionCell, HeatMap, Weights
from grasp_bench.report.numbers import count, percent, plain
from grasp_bench.report.page.charts.distribution import Bin, distributions
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.grid import Axes, Square, grid
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, Heading, PageSection, Part, Prose

GROUPS = {
    "all": "all pairs", "training": "training items", "validation": "validation items",
    "unchosen": "unchosen items", "head_users": "head users", "tail_users": "tail users",
    "head_items": "head items", "tail_items": "tail items", "clean": "clean context",
    "corrupted": "corrupted context",
}  # fmt: skip
QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
MOST_ITEMS = 24  # of a long history, the latest


def attention_section(material: PageMaterial) -> PageSection | None:
    """Each inspected cell in turn; None where nothing was inspected."""
    found = material.studies.attention
    if found is None or not found["cells"]:
        return None
    parts: list[Part] = [Prose(found["notes"])] if found["notes"] else []
    corrupted = _corruption(found["cells"])
    if corrupted:
        parts.append(corrupted)
    several = len(found["cells"]) > 1
    for index, cell in enumerate(found["cells"]):
        name = _named(cell)
        of_cell = _cell(cell, name)
        parts.append(Heading(f"{name}: {cell['attention']} weights"))
        parts += [Folded(f"Weights of {name}", of_cell)] if several and index else of_cell
    return PageSection("attention", "Attention", parts)


def _named(cell: AttentionCell) -> str:
    return cell["label"] if cell["seed"] is None else f"{cell['label']}, seed {cell['seed']}"


def _cell(cell: AttentionCell, name: str) -> list[Part]:
    parts: list[Part] = []
    scales = ", ".join(f"{part} × {plain(scale)}" for part, scale in cell["scale"].items())
    noise = f", noise: {cell['noise']}" if cell["noise"] else ""
    pairs = f"{count(cell['pairs'])} pairs of user and item"
    parts.append(Prose([f"{pairs}{noise}; logits: {scales or 'as they are'}."]))
    for groups, what in ((("all",), "all pairs"), (("clean", "corrupted"), "clean and corrupted context")):
        chosen = [weights for weights in cell["weights"] if weights["group"] in groups and weights["counts"]]
        if chosen:
            parts.append(_distribution(chosen, f"Weights of {name}, {what}"))
    parts += [_means(cell, name)] if cell["weights"] else []
    maps = [_heat_map(one) for one in cell["heat_maps"] if one["items"] and one["parts"]]
    return [*parts, Folded("Single users", maps)] if maps else parts


def _distribution(weights: Sequence[Weights], name: str) -> Figure:
    bins = []
    for each in weights:
        total = sum(each["counts"]) or 1
        heights = [number / total for number in each["counts"]]
        group = GROUPS.get(each["group"], each["group"])
        # A stepped line ends where its last bin ends.
        for edge, share in zip(each["edges"], [*heights, heights[-1]], strict=True):
            bins.append(Bin(each["part"], group, edge, share))
    picture = draw(name, lambda width: distributions(bins, width, "weight"))
    return Figure(name, [picture], _bins_table(weights, name))


def _bins_table(weights: Sequence[Weights], title: str) -> Table:
    """Shares of every bin; rows by bin where all have the same ones, as cells of one run do."""
    heads = [f"{each['part']}, {GROUPS.get(each['group'], each['group'])}" for each in weights]
    columns = [Column("from"), Column("to"), *(Column(head) for head in heads)]
    edges = weights[0]["edges"]
    rows = []
    for index, (low, high) in enumerate(itertools.pairwise(edges)):
        shares = [each["counts"][index] / (sum(each["counts"]) or 1) for each in weights]
        rows.append([Entry(f"{low:g}"), Entry(f"{high:g}"), *(Entry(percent(share)) for share in shares)])
    return Table(title, columns, rows, ["Percent of the pairs of a column."])


def _weights_table(weights: Sequence[Weights], title: str) -> Table:
    columns = [
        Column("part", "left"), Column("group", "left"), Column("pairs"), Column("mean"), Column("sd"),
        *(Column(f"q {quantile}") for quantile in QUANTILES), Column("within 0.01 of 0.5"),
    ]  # fmt: skip
    rows = [
        [Entry(each["part"]), Entry(GROUPS.get(each["group"], each["group"])), Entry(count(each["count"])),
         Entry(f"{each['mean']:.4f}"), Entry(f"{each['std']:.4f}"),
         *(Entry(_quantile(each, quantile)) for quantile in QUANTILES),
         Entry(f"{percent(each['saturated'])} %")]
        for each in weights
    ]  # fmt: skip
    return Table(title, columns, rows)


def _quantile(weights: Weights, name: str) -> str:
    value = weights["quantiles"].get(name)
    return BLANK if value is None else f"{value:.4f}"


def _means(cell: AttentionCell, name: str) -> Figure:
    rows = [
        Dot(
            GROUPS.get(each["group"], each["group"]), each["part"], each["mean"],
            f"{each['part']}, {GROUPS.get(each['group'], each['group'])}: mean {each['mean']:.4f}, "
            f"middle half {_quantile(each, '0.25')} to {_quantile(each, '0.75')}",
        )
        for each in cell["weights"]
    ]  # fmt: skip
    title = f"Mean weight by group, {name}"
    picture = draw(title, lambda width: dots(rows, width, "mean weight", reference=0.5))
    note = "Dashed line: a weight of 0.5, where σ of a logit of zero lies."
    return Figure(title, [picture], _weights_table(cell["weights"], title), [note])


def _corruption(cells: Sequence[AttentionCell]) -> Figure | None:
    """Can a weight tell corrupted context from clean?"""
    found = [(cell, each) for cell in cells for each in cell["corruption"]]
    if not found:
        return None
    rows, entries = [], []
    for cell, each in found:
        label = _named(cell)
        tip = f"{label}, {each['part']} ({each['side']}): AUC {each['auc']:.3f}"
        rows.append(Dot(f"{label}, {each['side']}", each["part"], each["auc"], tip))
        texts = (
            label, each["part"], each["side"], count(each["corrupted"]), count(each["clean"]),
            f"{each['auc']:.4f}", f"{each['correlation']:+.4f}", f"{each['mean_corrupted']:.4f}",
            f"{each['mean_clean']:.4f}",
        )  # fmt: skip
        entries.append([Entry(text) for text in texts])
    name = "Do weights tell corrupted context from clean?"
    picture = draw(
        name, lambda width: dots(rows, width, "AUC: chance that corrupted weighs less", reference=0.5)
    )
    columns = [
        Column("cell", "left"), Column("part", "left"), Column("side", "left"), Column("corrupted"),
        Column("clean"), Column("AUC"), Column("correlation"), Column("mean, corrupted"),
        Column("mean, clean"),
    ]  # fmt: skip
    note = "AUC 0.5 (dashed): the weight cannot tell. 1: every corrupted pair weighs less than any clean one."
    return Figure(name, [picture], Table(name, columns, entries), [note])


def _heat_map(one: HeatMap) -> Figure:
    numbered = [f"{index + 1}. {item}" for index, item in enumerate(one["items"])]
    first = max(0, len(numbered) - MOST_ITEMS)
    squares = [
        Square(part, numbered[index], weight, f"{weight:.2f}", f"{numbered[index]}, {part}: {weight:.4f}")
        for part, line in zip(one["parts"], one["weights"], strict=True)
        for index, weight in enumerate(line)
        if index >= first
    ]
    name = f"Weights over the history of user {one['user']}"
    axes = Axes(None, None, one["parts"], numbered[first:])
    picture = draw(name, lambda width: grid(squares, width, axes))
    columns = [Column("item, oldest first", "left"), *(Column(part) for part in one["parts"])]
    rows = [
        [Entry(item), *(Entry(f"{line[index]:.4f}") for line in one["weights"])]
        for index, item in enumerate(numbered)
    ]
    notes = [f"The latest {MOST_ITEMS} of {len(numbered)} items; the table has all."] if first else []
    return Figure(name, [picture], Table(name, columns, rows), notes)
