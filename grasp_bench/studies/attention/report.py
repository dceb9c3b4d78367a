"""Show attention weights: spreads, groups, corrupted context, single users."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from grasp_bench.report.charts.curves import Bin, distributions
from grasp_bench.report.charts.row_charts import Dot, Spread, dots, spreads
from grasp_bench.report.charts.theme import Axes, Square, grid
from grasp_bench.report.document import BLANK, Document, Figure, Section, Table
from grasp_bench.report.formatting import count, number, percent, plain, share
from grasp_bench.report.studies import Study
from grasp_bench.studies.attention.schema import Attention, AttentionCell, HeatMap, Weights

DIGITS = 4
FEW_BINS = 6  # a histogram with fewer bins in use says less than quantiles do
MOST_ITEMS = 24  # of a long history, the latest
NARROW_RANGE = 0.1  # weights that differ by less are printed with more decimals
BLOCKS, NOTHING, CHARACTERS = "▁▂▃▄▅▆▇█", "·", 25
QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
WEIGHT_HEADS = ("pairs", "mean", "sd", *(f"q {name}" for name in QUANTILES), "near 0.5")
GROUPS = {
    "all": "all pairs", "training": "training items", "validation": "validation items",
    "unchosen": "unchosen items", "head_users": "head users", "tail_users": "tail users",
    "head_items": "head items", "tail_items": "tail items", "clean": "clean context",
    "corrupted": "corrupted context",
}  # fmt: skip
WITHOUT_MEAN = ("all", "clean", "corrupted")  # groups that other tables show
SPREAD_NOTE = "Dot: median; thick line: the middle half; thin line: from the 5th percentile to the 95th."
HALF_NOTE = "Dashed line: a weight of 0.5, where σ of a logit of zero lies."
AUC_LEGEND = (
    "AUC 0.5 (dashed): the weight cannot tell. 1: every corrupted pair weighs less than any clean one."
)
WEIGHT_NOTE = (
    "Factor: on the logit, 1 in the paper. Near 0.5: weights within 0.01 of it, where all pairs weigh alike. "
    "The last column counts weights from 0 to 1."
)
GROUP_NOTE = (
    "Mean weights. Training and validation are the two parts of a history. By default a user's text names "
    "training items: validation shows what an item weighs that it does not name."
)
CORRUPTION_NOTE = (
    "AUC: the chance that a corrupted pair weighs less than a clean one; 0.5 cannot tell, 1 always does. "
    "Corrupted is a pair of whose context at least half is. Correlation: Spearman's, of weight and corrupted "
    "share; below 0 where corrupted context weighs less. Taken off: how much less, in the mean."
)
Alike = Sequence[AttentionCell]  # cells of one method with equal weights: seeds on one set of embeddings


def lay_out_attention(found: Attention) -> Document:
    """Arrange weights of all pairs, means by group, corrupted context, and heat maps (folded)."""
    alike = _alike(found)
    sections = [Section("Weights of history pairs", _weights(alike)), Section("By group", [_groups(alike)])]
    if any(cell["corruption"] for cell in found["cells"]):
        sections.append(Section("Corrupted context", [_corruption(alike)]))
    for cells in alike:
        maps = [heat_map(one) for one in cells[0]["heat_maps"] if one["items"] and one["parts"]]
        sections += [Section(f"Histories, {_named(cells)}", maps, folded=True)] if maps else []
    return Document(f"Attention: {found['spec']}", found["notes"], sections if found["cells"] else [])


def details_of(found: Attention) -> Iterator[Section]:
    """Weights by group and histograms of each cell, for pages."""
    for cells in _alike(found):
        cell, name = cells[0], _named(cells)
        noise = f", noise: {cell['noise']}" if cell["noise"] else ""
        facts = f"{count(cell['pairs'])} pairs of user and item{noise}."
        yield Section(f"{name}: groups", list(_cell_figures(cell, name)), [facts], folded=True)


def blocks(counts: Sequence[int]) -> str:
    """Draw a histogram in one line; a dot where there is nothing."""
    width = -(-len(counts) // CHARACTERS)
    sums = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    top = max(sums, default=0)
    return "".join(
        BLOCKS[min(len(BLOCKS) - 1, len(BLOCKS) * each // top)] if each else NOTHING for each in sums
    )


def heat_map(one: HeatMap) -> Figure:
    """The weights of one user's history, oldest item first."""
    numbered = [f"{index + 1}. {item}" for index, item in enumerate(one["items"])]
    first = max(0, len(numbered) - MOST_ITEMS)
    values = [weight for line in one["weights"] for weight in line]
    decimals = DIGITS if max(values) - min(values) < NARROW_RANGE else 2
    squares = [
        Square(part, item, weight, f"{weight:.{decimals}f}", f"{item}, {part}: {weight:.4f}")
        for part, line in zip(one["parts"], one["weights"], strict=True)
        for item, weight in zip(numbered[first:], line[first:], strict=True)
    ]
    name = f"Weights over the history of user {one['user']}"
    axes = Axes(None, None, one["parts"], numbered[first:])
    rows = [
        [item, *(number(line[index], DIGITS) for line in one["weights"])]
        for index, item in enumerate(numbered)
    ]
    notes = ["Shade: from the lowest weight of this history to the highest."]
    notes += [f"The latest {MOST_ITEMS} of {len(numbered)} items; the table has all."] if first else []
    table = Table.of_texts(name, ["item, oldest first", *one["parts"]], rows)
    return Figure.of_one(name, lambda width: grid(squares, width, axes), table, notes)


def _alike(found: Attention) -> list[Alike]:
    groups: dict[str, list[AttentionCell]] = {}
    for cell in found["cells"]:
        same = repr([cell["label"], cell["noise"], cell["weights"], cell["heat_maps"]])
        groups.setdefault(same, []).append(cell)
    return list(groups.values())


def _named(cells: Alike) -> str:
    seeds = [str(cell["seed"]) for cell in cells if cell["seed"] is not None]
    label = cells[0]["label"]
    return f"{label}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else label


def _weights(alike: Sequence[Alike]) -> list[Figure]:
    """Weights of all pairs, one figure for each kind of attention."""
    kinds = dict.fromkeys(cells[0]["attention"] for cells in alike)
    return [_overall([cells for cells in alike if cells[0]["attention"] == kind], kind) for kind in kinds]


def _overall(alike: Sequence[Alike], kind: str) -> Figure:
    drawn, rows = [], []
    for cells in alike:
        for each in cells[0]["weights"]:
            if each["group"] == "all":
                name, factor = _named(cells), plain(cells[0]["scale"].get(each["part"]))
                drawn += _spread(each, name, each["part"])
                rows.append([name, each["part"], factor, *_figures(each, kind), blocks(each["counts"])])
    title = f"Weights of all pairs of users and items, {kind} attention"
    reference = 0.5 if kind == "sigmoid" else None
    table = Table.of_texts(title, ["cell", "part", "factor", *WEIGHT_HEADS, "0 … 1"], rows, [WEIGHT_NOTE])
    make = partial(spreads, drawn, title="weight", reference=reference)
    return Figure.of_one(title, make, table, [SPREAD_NOTE, *([HALF_NOTE] if reference else [])])


def _groups(alike: Sequence[Alike]) -> Table:
    """Mean weights, a column for each group."""
    shown = [name for name in GROUPS if name not in WITHOUT_MEAN]
    rows = []
    for cells in alike:
        for part, means in _means(cells[0]).items():
            rows.append([_named(cells), part, *(number(means.get(name), DIGITS) for name in shown)])
    heads = ["cell", "part", *(GROUPS[name] for name in shown)]
    return Table.of_texts("Mean weights by group", heads, rows, [GROUP_NOTE])


def _means(cell: AttentionCell) -> Mapping[str, Mapping[str, float]]:
    """Mean weights by part and group, of parts that all pairs have."""
    parts: dict[str, dict[str, float]] = {}
    for each in cell["weights"]:
        parts.setdefault(each["part"], {})[each["group"]] = each["mean"]
    return {part: means for part, means in parts.items() if "all" in means}


def _corruption(alike: Sequence[Alike]) -> Figure:
    """Whether a weight tells corrupted context from clean."""
    drawn, rows = [], []
    for cells in alike:
        for each in cells[0]["corruption"]:
            name, part, auc = f"{_named(cells)}, {each['side']}", each["part"], each["auc"]
            drawn.append(Dot(name, part, auc, f"{name}, {part}: AUC {auc:.3f}"))
            off = share(1 - each["mean_corrupted"] / each["mean_clean"])
            means = (number(each[key], DIGITS) for key in ("mean_corrupted", "mean_clean"))
            rows.append(
                [
                    _named(cells), part, each["side"], count(each["corrupted"]), count(each["clean"]),
                    number(auc, DIGITS), f"{each['correlation']:+.4f}", *means, off,
                ]
            )  # fmt: skip
    title = "Do weights tell corrupted context from clean?"
    heads = [
        "cell", "part", "side", "corrupted", "clean", "AUC", "correlation", "mean corrupted", "mean clean",
        "taken off",
    ]  # fmt: skip
    noises = [f"{_named(cells)}: {cells[0]['noise']}." for cells in alike if cells[0]["corruption"]]
    table = Table.of_texts(title, heads, rows, [CORRUPTION_NOTE, *noises], names=3)
    make = partial(dots, drawn, title="AUC: chance that corrupted weighs less", reference=0.5)
    return Figure.of_one(title, make, table, [AUC_LEGEND])


def _cell_figures(cell: AttentionCell, name: str) -> Iterator[Figure]:
    """Groups, and histograms where they say more than the spreads."""
    drawn = [row for each in cell["weights"] for row in _spread(each, _group(each), each["part"])]
    if drawn:
        title = f"Weights by group, {name}"
        rows = [[each["part"], _group(each), *_figures(each, cell["attention"])] for each in cell["weights"]]
        table = Table.of_texts(title, ["part", "group", *WEIGHT_HEADS], rows, names=2)
        yield Figure.of_one(title, partial(spreads, drawn, title="weight"), table, [SPREAD_NOTE])
    for groups, what in ((("all",), "all pairs"), (("clean", "corrupted"), "clean and corrupted context")):
        weights = [each for each in cell["weights"] if each["group"] in groups]
        used = {index for each in weights for index, pairs in enumerate(each["counts"]) if pairs}
        if len(used) >= FEW_BINS:
            yield _histogram(weights, f"Histogram of weights, {name}, {what}")


def _histogram(weights: Sequence[Weights], title: str) -> Figure:
    """Shares of pairs over [0, 1], a panel for each part."""
    shares = [[pairs / (sum(each["counts"]) or 1) for pairs in each["counts"]] for each in weights]
    # A stepped line ends where its last bin ends.
    bins = [
        Bin(each["part"], _group(each), edge, height)
        for each, heights in zip(weights, shares, strict=True)
        for edge, height in zip(each["edges"], [*heights, heights[-1]], strict=True)
    ]
    heads = ["from", "to", *(f"{each['part']}, {_group(each)}" for each in weights)]
    rows = [
        [f"{low:g}", f"{high:g}", *(percent(each[index]) for each in shares)]
        for index, (low, high) in enumerate(itertools.pairwise(weights[0]["edges"]))
    ]
    table = Table.of_texts(title, heads, rows, ["Percent of the pairs of a column."], names=0)
    return Figure.of_one(title, partial(distributions, bins, x_title="weight"), table)


def _group(weights: Weights) -> str:
    return GROUPS.get(weights["group"], weights["group"])


def _spread(weights: Weights, label: str, series: str) -> list[Spread]:
    """Nothing of weights without quantiles."""
    known = [value for name in QUANTILES if (value := weights["quantiles"].get(name)) is not None]
    if len(known) < len(QUANTILES):
        return []
    low, q1, median, q3, high = known
    tip = f"{label}, {series}: median {median:.4f}, middle half {q1:.4f} to {q3:.4f}"
    return [Spread(label, series, low, q1, median, q3, high, tip)]


def _figures(weights: Weights, kind: str) -> list[str]:
    quantiles = (number(weights["quantiles"].get(name), DIGITS) for name in QUANTILES)
    middle = BLANK if kind == "softmax" else f"{percent(weights['saturated'])} %"
    means = (number(weights[key], DIGITS) for key in ("mean", "std"))
    return [count(weights["count"]), *means, *quantiles, middle]


STUDY = Study(
    title="Attention",
    command="grasp-bench inspect attention",
    schema=Attention,
    document=lay_out_attention,
    details=details_of,
)
