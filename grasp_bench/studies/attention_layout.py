"""Attention of trained cells as a document: distributions, groups, corrupted context, heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.findings.attention import Attention, AttentionCell, HeatMap, Weights
from grasp_bench.studies.wording import number, share, table

DIGITS = 4
BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
CHARACTERS = 25
GROUPS = {
    "training": "training",
    "validation": "validation",
    "unchosen": "unchosen",
    "head_users": "head users",
    "tail_users": "tail users",
    "head_items": "head items",
    "tail_items": "tail items",
}
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


def lay_out_attention(found: Attention) -> Document:
    """All but the heat maps, which a terminal colours (`attention_view`)."""
    sections = [
        Section("Weights of history pairs", [_weights(found["cells"])]),
        Section("By group", [_groups(found["cells"])]),
    ]
    if any(cell["corruption"] for cell in found["cells"]):
        sections.append(Section("Corrupted context", [_corruption(found["cells"])]))
    return Document(f"Attention: {found['spec']}", found["notes"], sections)


def with_heat_maps(document: Document, found: Attention) -> Document:
    """The document with the heat maps as tables of numbers, folded."""
    maps = [
        Section(f"Histories, {cell['slug']}", [heat_table(each) for each in cell["heat_maps"]], folded=True)
        for cell in found["cells"]
        if cell["heat_maps"]
    ]
    return Document(document.title, document.lines, [*document.sections, *maps])


def heat_table(found: HeatMap) -> Table:
    """One user's history, oldest first."""
    rows = [
        [item, *(number(weights[place], DIGITS) for weights in found["weights"])]
        for place, item in enumerate(found["items"])
    ]
    return table(f"user {found['user']}", ["item", *found["parts"]], rows)


def blocks(counts: Sequence[int]) -> str:
    """A histogram of one line; a dot where there is nothing."""
    width = -(-len(counts) // CHARACTERS)
    sums = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    top = max(sums, default=0)
    return "".join(
        BLOCKS[min(len(BLOCKS) - 1, len(BLOCKS) * each // top)] if each else NOTHING for each in sums
    )


def _weights(cells: Sequence[AttentionCell]) -> Table:
    rows = []
    for cell in cells:
        for part, groups in _by_part(cell).items():
            of_all = groups["all"]
            quantiles = [number(of_all["quantiles"][q], DIGITS) for q in ("0.05", "0.5", "0.95")]
            rows.append(
                [
                    cell["slug"],
                    part,
                    f"{cell['scale'][part]:.3g}",
                    f"{of_all['count']:,}",
                    number(of_all["mean"], DIGITS),
                    number(of_all["std"], DIGITS),
                    *quantiles,
                    BLANK if cell["attention"] == "softmax" else share(of_all["saturated"]),
                    blocks(of_all["counts"]),
                ]
            )
    heads = ["cell", "part", "factor", "pairs", "mean", "sd", "5 %", "median", "95 %", "near 0.5", "0 … 1"]
    return table("", heads, rows, [WEIGHT_NOTE])


def _groups(cells: Sequence[AttentionCell]) -> Table:
    rows = [
        [cell["slug"], part, *(_mean(groups.get(name)) for name in GROUPS)]
        for cell in cells
        for part, groups in _by_part(cell).items()
    ]
    return table("", ["cell", "part", *GROUPS.values()], rows, [GROUP_NOTE])


def _corruption(cells: Sequence[AttentionCell]) -> Table:
    rows = [
        [
            cell["slug"],
            each["part"],
            each["side"],
            f"{each['corrupted']:,}",
            f"{each['clean']:,}",
            number(each["mean_corrupted"], DIGITS),
            number(each["mean_clean"], DIGITS),
            share(1 - each["mean_corrupted"] / each["mean_clean"]),
            number(each["auc"], 3),
            number(each["correlation"], 3),
        ]
        for cell in cells
        for each in cell["corruption"]
    ]
    heads = ["cell", "part", "side", "corrupted", "clean", "mean corrupted", "mean clean", "taken off",
             "AUC", "correlation"]  # fmt: skip
    noises = [f"{cell['slug']}: {cell['noise']}." for cell in cells if cell["corruption"]]
    return table("", heads, rows, [CORRUPTION_NOTE, *noises])


def _by_part(cell: AttentionCell) -> Mapping[str, Mapping[str, Weights]]:
    parts: dict[str, dict[str, Weights]] = {}
    for each in cell["weights"]:
        parts.setdefault(each["part"], {})[each["group"]] = each
    return {part: groups for part, groups in parts.items() if "all" in groups}


def _mean(found: Weights | None) -> str:
    return BLANK if found is None else number(found["mean"], DIGITS)
