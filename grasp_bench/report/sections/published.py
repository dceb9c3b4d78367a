"""Published figures beside ours, and everything that keeps them from being the same experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from grasp_bench.report.charts.row_charts import Dot, dots
from grasp_bench.report.document import BLANK, Column, Content, Entry, Figure, Head, Section, Table
from grasp_bench.report.formatting import GROUP_HEADS, count, percent, percent_with_interval, points
from grasp_bench.report.page.blocks import Block, Folded, Heading, PageSection, Prose
from grasp_bench.report.schema import (
    PROTOCOLS,
    Difference,
    PublishedComparison,
    PublishedFigure,
    Ranking,
    SourcedEntry,
)
from grasp_bench.report.sections.ranking import seeds_of

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

INTERVAL_NOTE = (
    "≈ theirs lies in our 95 % interval for other users and trainings. Of one training the interval is over "
    "users alone, and there is no sign. The published figure has no interval, so this is no test."
)
MAIN_CUTOFF, OTHER_CUTOFF = 10, 5


def published_section(ranking: Ranking, suffix: str) -> Section | None:
    """Ours, theirs, difference and interval of every method that was published; None where nothing was."""
    found = ranking["published"]
    if found is None:
        return None
    seeds = {row["label"]: seeds_of(row) for row in ranking["rows"]}
    overall = [figure for figure in found["figures"] if figure["group"] == "overall"]
    groups = [figure for figure in found["figures"] if figure["group"] != "overall"]
    tables = [
        _compared("Published figures, all users (sampled ranking)", overall, MAIN_CUTOFF, seeds),
        _every_cutoff(overall),
        _compared("Published figures by group (sampled ranking)", groups, MAIN_CUTOFF, seeds),
        _compared(
            f"Published figures by group at {OTHER_CUTOFF} (sampled ranking)", groups, OTHER_CUTOFF, seeds
        ),
    ]
    tables += [
        sourced_table(ranking, protocol, cutoff)
        for protocol in PROTOCOLS
        for cutoff in (MAIN_CUTOFF, OTHER_CUTOFF)
    ]
    kept = [table for table in tables if table is not None]
    return Section(f"Beside the published figures{suffix}", kept, _lines(found))


def _lines(found: PublishedComparison) -> list[str]:
    """Whose figures these are and how far the two experiments are from being one."""
    lines = [_origin(found), _data_line(found), *_sources(found["sourced"])]
    if found["settings"]:
        lines.append(f"Settings that differ: {_told(found['settings'])}.")
    if found["groups"] and any(figure["group"] != "overall" for figure in found["figures"]):
        lines.append(f"Groups are cut otherwise: {_told(found['groups'])}.")
    lines += [*found["notes"], INTERVAL_NOTE]
    if found["without_ours"]:
        lines.append(f"Published and not on this board: {', '.join(found['without_ours'])}.")
    return lines


def _origin(found: PublishedComparison) -> str:
    source = found["source"]
    if not source:
        return f"Published of the dataset {found['dataset']}, each row from a source of its own."
    origin = ", ".join(str(source[key]) for key in ("title", "reference", "license") if source.get(key))
    tables = ", ".join(sorted({figure["table"] for figure in found["figures"]}))
    return f"Published: {origin}{': ' if tables else ''}{tables}; its dataset {found['dataset']}."


def _sources(entries: Sequence[SourcedEntry]) -> list[str]:
    """A line for each source of such rows, in the order of the file."""
    sources = {entry["source"]["reference"]: entry["source"] for entry in entries}
    return [
        f"{reference}: {source['title']}{', ' + source['url'] if source.get('url') else ''}."
        for reference, source in sources.items()
    ]


def _data_line(found: PublishedComparison) -> str:
    facts = {fact["key"]: fact for fact in found["data"]}
    theirs = " and ".join(f"{count(fact['theirs'])} {key}" for key, fact in facts.items())
    if any(fact["ours"] is None for fact in facts.values()):
        return f"Data: {theirs} there; how many here is not known before the split is made."
    ours = " and ".join(f"{count(fact['ours'])} {key}" for key, fact in facts.items())
    if not found["other_data"]:
        return f"Data: {theirs}, there as here."
    return f"NOT A REPLICATION, the data differ: {theirs} there, {ours} here."


def _told(differences: Iterable[Difference]) -> str:
    return "; ".join(f"{each['key']} {each['theirs']} there, {each['ours']} here" for each in differences)


def _compared(
    title: str, figures: Sequence[PublishedFigure], cutoff: int, seeds: Mapping[str, str]
) -> Table | None:
    """One line a method and group: ours with its interval, theirs, and the difference."""
    metrics = [
        name for name in (f"NDCG@{cutoff}", f"HR@{cutoff}") if any(f["metric"] == name for f in figures)
    ]
    found = {(f["label"], f["group"], f["metric"]): f for f in figures if f["metric"] in metrics}
    keys = list(dict.fromkeys((label, group) for label, group, _ in found))
    if not keys:
        return None
    grouped = any(group != "overall" for _, group in keys)
    start = ["method", *(["group"] if grouped else [])]
    rows = []
    for label, group in keys:
        mine = [found.get((label, group, metric)) for metric in metrics]
        names = [label, *([GROUP_HEADS.get(group, group)] if grouped else [])]
        rows.append([*names, seeds[label], *(entry for figure in mine for entry in _entries(figure))])
    notes = []
    if any(figure["low"] is None for figure in figures):
        notes = ["Without an interval: run the spec again, which writes down who belongs to which group."]
    heads: list[Head] = [*start, "seeds", *_metric_heads(metrics)]
    return Table.of_texts(title, heads, rows, notes, names=len(start))


def _metric_heads(metrics: Sequence[str]) -> list[Column]:
    """Ours, theirs and the difference of each metric; those after the first may go."""
    return [
        Column(head, spare=metric != metrics[0])
        for metric in metrics
        for head in (f"{metric} ours [95 % CI]", "published", "difference")
    ]


def sourced_table(ranking: Ranking, protocol: str, cutoff: int) -> Table | None:
    """One line a published row with a source of its own: ours beside it, theirs, and the difference."""
    entries = ranking["published"]["sourced"] if ranking["published"] else []
    seeds = {row["label"]: seeds_of(row) for row in ranking["rows"]}
    ranked = [entry for entry in entries if entry["protocol"] == protocol]
    named = (f"NDCG@{cutoff}", f"HR@{cutoff}")
    metrics = [name for name in named if any(name in entry["theirs"] for entry in ranked)]
    told = [entry for entry in ranked if any(name in entry["theirs"] for name in metrics)]
    if not told:
        return None
    heads: list[Head] = ["published method", "source", Column("loss", "left", spare=True), "ours"]
    heads += [Column("seeds", spare=True), *_metric_heads(metrics)]
    rows = []
    for entry in told:
        start = [entry["published"], entry["source"]["reference"], entry["loss"] or BLANK]
        start += [entry["label"], seeds[entry["label"]]] if entry["label"] else [BLANK, BLANK]
        rows.append([*start, *(each for metric in metrics for each in _beside(entry, metric))])
    at = "" if cutoff == MAIN_CUTOFF else f" at {cutoff}"
    title = f"Published rows{at}, each from its source ({protocol} ranking)"
    return Table.of_texts(title, heads, rows, names=4)


def _beside(entry: SourcedEntry, metric: str) -> list[Content]:
    """Ours, theirs and the difference in one metric; theirs alone where ours has none."""
    figure = next((figure for figure in entry["figures"] if figure["metric"] == metric), None)
    if figure is not None:
        return _entries(figure)
    return [BLANK, percent(entry["theirs"].get(metric)), BLANK]


def _entries(figure: PublishedFigure | None) -> list[Content]:
    if figure is None:
        return [BLANK] * 3
    ours = percent_with_interval(figure["ours"], figure["low"], figure["high"])
    theirs = Entry(percent(figure["theirs"]), tier=bool(figure["inside"]))
    return [ours, theirs, points(figure["difference"])]


def _every_cutoff(figures: Sequence[PublishedFigure]) -> Table | None:
    """Ours and theirs of every metric, a line a method."""
    metrics = list(dict.fromkeys(figure["metric"] for figure in figures))
    metrics = [name for name in metrics if name != "HR@1" or "NDCG@1" not in metrics]  # one number
    if len(metrics) < 3:
        return None
    found = {(figure["label"], figure["metric"]): figure for figure in figures}
    labels = list(dict.fromkeys(figure["label"] for figure in figures))
    rows: list[list[Content]] = [
        [label, *(_both(found.get((label, metric))) for metric in metrics)] for label in labels
    ]
    heads: list[Head] = ["method", *(Column(metric, spare=True) for metric in metrics)]
    return Table.of_texts("Ours / published, all users, at every cutoff", heads, rows)


def _both(figure: PublishedFigure | None) -> Entry:
    if figure is None:
        return Entry(BLANK)
    return Entry(f"{percent(figure['ours'])} / {percent(figure['theirs'])}", tier=bool(figure["inside"]))


METRICS = (f"NDCG@{MAIN_CUTOFF}", f"HR@{MAIN_CUTOFF}")


def paper_section(data: PageData) -> PageSection | None:
    """Ours and theirs of every method that a paper has too; None where the spec names no paper."""
    blocks = [block for ranking in data.board["rankings"] for block in _ranking(data, ranking)]
    return PageSection("paper", "Paper against ours", blocks) if blocks else None


def _ranking(data: PageData, ranking: Ranking) -> Iterator[Block]:
    section, found = published_section(ranking, data.suffix(ranking)), ranking["published"]
    if section is None or found is None:
        return
    if len(data.board["rankings"]) > 1:
        yield Heading(section.title)
    yield Prose(section.lines, listed=True)
    overall = [figure for figure in found["figures"] if figure["group"] == "overall"]
    pictured = []
    if overall:
        pictured.append(("sampled", section.plain_tables[0], {m: _pairs(overall, m) for m in METRICS}))
    for protocol in PROTOCOLS:
        if table := sourced_table(ranking, protocol, MAIN_CUTOFF):
            entries = [entry for entry in found["sourced"] if entry["protocol"] == protocol]
            pictured.append((protocol, table, {m: _rows(entries, m) for m in METRICS}))
    for protocol, table, rows in pictured:
        for metric in METRICS:
            if rows[metric]:
                name = f"{metric}, ours and published, {protocol} ranking{data.suffix(ranking)}"
                make = partial(dots, rows[metric], title=f"{metric}, percent")
                yield Figure.of_one(name, make, table)
    if rest := [table for table in section.plain_tables if table not in [each for _, each, _ in pictured]]:
        yield Folded("By cutoff and by group", rest)


def _pairs(figures: Sequence[PublishedFigure], metric: str) -> list[Dot]:
    """Ours and theirs of each method that the paper's tables have too."""
    chosen = [(figure, figure["label"]) for figure in figures if figure["metric"] == metric]
    return [
        dot for figure, label in chosen for dot in (_ours(figure, label), _theirs(label, figure["theirs"]))
    ]


def _rows(entries: Sequence[SourcedEntry], metric: str) -> list[Dot]:
    """Theirs of each row with a source of its own, and ours where there is any."""
    found = []
    for entry in entries:
        if metric not in entry["theirs"]:
            continue
        label = ", ".join(filter(None, [entry["published"], entry["source"]["reference"], entry["loss"]]))
        found += [_ours(figure, label) for figure in entry["figures"] if figure["metric"] == metric]
        found.append(_theirs(label, entry["theirs"][metric]))
    return found


def _ours(figure: PublishedFigure, label: str) -> Dot:
    told = percent_with_interval(figure["ours"], figure["low"], figure["high"])
    low, high = (None if end is None else 100 * end for end in (figure["low"], figure["high"]))
    return Dot(label, "ours", 100 * figure["ours"], f"{figure['label']}, ours: {told}", low, high)


def _theirs(label: str, figure: float) -> Dot:
    return Dot(label, "published", 100 * figure, f"{label}, published: {percent(figure)}")
