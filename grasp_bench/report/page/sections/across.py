"""Several datasets: mean ranks, drawn with what they do not tell apart, and the table of all figures."""

from __future__ import annotations

from grasp_bench.report.across_schema import AcrossDatasets
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.rank_diagram import RankBar, RankDot, rank_diagram
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection, Part, Prose
from grasp_bench.report.sections.across import (
    TITLE,
    across_table,
    best_table,
    letter,
    letters_of,
    verdict,
)

LEGEND = (
    "A bar spans methods that are not told apart; one that no such bar covers is told from all others. The "
    "last bar is the critical difference."
)


def across_section(material: PageMaterial) -> PageSection | None:
    """The verdict, the diagram where there is one, and the table; None where there is one dataset."""
    across = material.board["across"]
    if across is None:
        return None
    table = across_table(across)
    parts: list[Part] = [Prose([verdict(across)])]
    diagram = _diagram(across)
    parts += [table] if diagram is None else [diagram, *filter(None, [best_table(across)])]
    return PageSection("across", TITLE, parts)


def _diagram(across: AcrossDatasets) -> Figure | None:
    """Mean ranks and groups; None without a verdict, for then nothing is known of differences."""
    difference = across["critical_difference"]
    if difference is None:
        return None
    ranks = {row["label"]: row["mean_rank"] for row in across["rows"] if row["mean_rank"] is not None}
    letters = letters_of(across)
    dots = [
        RankDot(label, rank, f"{label}: mean rank {rank:.2f}, group {letters[label]}")
        for label, rank in ranks.items()
    ]
    bars = [
        RankBar(f"group {letter(index)}", min(spanned), max(spanned), f"not told apart: {', '.join(group)}")
        for index, group in enumerate(across["groups"])
        if len(group) > 1 and (spanned := [ranks[label] for label in group])
    ]
    told = f"critical difference: {difference:.2f}"
    bars.append(RankBar("critical difference", 1, 1 + difference, told))
    count = len(across["datasets"])
    name = f"Mean ranks over {count} datasets by {across['metric']}, {across['protocol']} ranking"
    picture = draw(name, lambda width: rank_diagram(dots, bars, width, "mean rank, best on the left"))
    return Figure(name, [picture], across_table(across), [LEGEND])
