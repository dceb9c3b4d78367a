"""Several datasets on a board: every method on each of them, mean ranks, and which methods differ."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from grasp_bench.report.across_schema import AcrossDatasets, AcrossRow
from grasp_bench.report.charts.row_charts import RankBar, RankDot, rank_diagram
from grasp_bench.report.document import BLANK, Column, Entry, Figure, Head, Mark, Section, Table, mark_best
from grasp_bench.report.formatting import p_value, percent
from grasp_bench.report.page.blocks import Block, PageSection, Prose
from grasp_bench.report.schema import Marked
from grasp_bench.report.sections.ranking import label_of, mark_notes

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

TITLE = "Across datasets"
RANK_NOTE = (
    "In brackets: the place among the methods that every dataset has. Mean rank: mean of these places; lower "
    "is better."
)
PAIRS_NOTE = (
    "Won / tied / lost: every pair with another method on every dataset. It is tied where the test of that "
    "dataset does not tell the two apart, Holm-corrected over its pairs."
)
GROUP_NOTE = "Group: methods that share a letter are not told apart across datasets."
PAIRS_TITLE = "Mean ranks against the best"
BEST_NOTE = (
    "z: difference of mean ranks in standard errors. Holm's correction over all pairs of methods, since the "
    "best is picked by the same ranks. It is the alternative to the groups, not a second chance."
)


def across_section(across: AcrossDatasets | None) -> Section | None:
    """The verdict in words and the table behind it; None where there is one dataset."""
    if across is None:
        return None
    tables = [across_table(across), *filter(None, [best_table(across)])]
    return Section(TITLE, tables, [verdict(across)], kind="across")


def verdict(across: AcrossDatasets) -> str:
    """What may be said of the methods across datasets, in one line."""
    if across["no_verdict"] is not None:
        return f"No claim across datasets: {across['no_verdict']}. The table tells of these datasets alone."
    test, count = across["friedman"], len(across["datasets"])
    if test is None:
        return ""
    f = "infinite" if test["f"] is None else f"{test['f']:.2f}"
    numbers = (
        f"Friedman's chi-square {test['chi_square']:.2f}, p {p_value(test['p'])}; "
        f"Iman–Davenport F {f}, p {p_value(test['p_f'])}"
    )
    difference = across["critical_difference"]
    if difference is None:
        return f"Over {count} datasets the methods are not told apart: {numbers}. No test of pairs follows."
    return (
        f"Over {count} datasets the methods differ: {numbers}. Two mean ranks that lie {difference:.2f} or "
        "more apart differ (Nemenyi, 5 %)."
    )


def across_table(across: AcrossDatasets) -> Table:
    """Methods by mean rank; what is not ranked stands below."""
    letters = letters_of(across)
    heads: list[Head] = ["method", *(Column(name, spare=True) for name in across["datasets"])]
    heads += ["mean rank", "won / tied / lost", *([Column("group", "left")] if letters else [])]
    by_dataset = [_dataset_entries(across, index) for index in range(len(across["datasets"]))]
    rows = []
    for row, on_datasets in zip(across["rows"], zip(*by_dataset, strict=True), strict=True):
        rank, pairs = row["mean_rank"], f"{row['won']} / {row['tied']} / {row['lost']}"
        summary = [BLANK, BLANK] if rank is None else [f"{rank:.2f}", pairs]
        group = [letters.get(row["label"], BLANK)] if letters else []
        rows.append([label_of(_marked(row)), *on_datasets, *summary, *group])
    # The title has the verdict in short, for forms that show tables alone.
    count, test = len(across["datasets"]), across["friedman"]
    found = "no claim across them" if test is None else f"Friedman's p {p_value(test['p'])}"
    title = f"Across {count} datasets ({found}): {across['metric']}, {across['protocol']} ranking"
    return Table.of_texts(title, heads, rows, _notes(across))


def best_table(across: AcrossDatasets) -> Table | None:
    """Every method against the one of the best mean rank; None without a verdict."""
    if not across["against_best"]:
        return None
    rows = [
        [pair["label"], f"{pair['z']:.2f}", p_value(pair["p"]), p_value(pair["p_holm"])]
        for pair in across["against_best"]
    ]
    title = f"{PAIRS_TITLE}, {across['rows'][0]['label']}"
    return Table.of_texts(title, ["method", "z", "p", "p Holm"], rows, [BEST_NOTE])


def letters_of(across: AcrossDatasets) -> dict[str, str]:
    """The letters of each method's groups: a, ab, b; nothing without a verdict."""
    found: dict[str, str] = {}
    for index, group in enumerate(across["groups"]):
        for label in group:
            found[label] = found.get(label, "") + letter(index)
    return found


def letter(index: int) -> str:
    """a to z, then a1, b1 and so on."""
    round_, place = divmod(index, len(ascii_lowercase))
    return ascii_lowercase[place] + (str(round_) if round_ else "")


def _dataset_entries(across: AcrossDatasets, index: int) -> list[Entry]:
    """Means and places on one dataset; marks only where there is a verdict, for they read as one."""
    means = [row["means"][index] for row in across["rows"]]
    places = [row["places"][index] for row in across["rows"]]
    marks: list[Mark] = [""] * len(means)
    if across["no_verdict"] is None:
        marks = mark_best([mean if place else None for mean, place in zip(means, places, strict=True)])
    return [
        Entry(percent(mean) if place is None else f"{percent(mean)} ({place:g})", mark)
        for mean, place, mark in zip(means, places, marks, strict=True)
    ]


def _notes(across: AcrossDatasets) -> list[str]:
    notes = [RANK_NOTE, PAIRS_NOTE, *([GROUP_NOTE] if across["groups"] else [])]
    # Each pair is counted by both of its methods.
    undecided = sum(row["undecided"] for row in across["rows"]) // 2
    if undecided:
        notes.append(
            f"Not decided, and counted as tied: {undecided} comparisons of two methods on one dataset, for "
            "want of trainings to compare."
        )
    notes += [f"Not ranked: {out['label']} ({out['reason']})." for out in across["left_out"]]
    partial = [
        f"{row['label']} on {', '.join(row['part_of_seeds'])}"
        for row in across["rows"]
        if row["part_of_seeds"]
    ]
    if partial:
        notes.append(f"Means over fewer seeds than planned: {'; '.join(partial)}.")
    return [*notes, *mark_notes([_marked(row) for row in across["rows"]])]


def _marked(row: AcrossRow) -> Marked:
    """What the signs beside its name are made of; who leaks has no row."""
    return Marked(label=row["label"], kind=row["kind"], leaks=[], substituted=row["substituted"])


LEGEND = (
    "A bar spans methods that are not told apart; one that no such bar covers is told from all others. The "
    "last bar is the critical difference."
)


def across_page_section(data: PageData) -> PageSection | None:
    """The verdict, the diagram where there is one, and the table; None where there is one dataset."""
    across = data.board["across"]
    if across is None:
        return None
    table = across_table(across)
    blocks: list[Block] = [Prose([verdict(across)])]
    diagram = _diagram(across)
    blocks += [table] if diagram is None else [diagram, *filter(None, [best_table(across)])]
    return PageSection("across", TITLE, blocks)


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
    axis = "mean rank, best on the left"
    count = len(across["datasets"])
    name = f"Mean ranks over {count} datasets by {across['metric']}, {across['protocol']} ranking"
    return Figure.of_one(
        name, lambda width: rank_diagram(dots, bars, width, axis), across_table(across), [LEGEND]
    )
