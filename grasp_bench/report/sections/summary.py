"""The first section of a page: sentences on the best methods, hypotheses, ablations, noise and studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from grasp_bench.report.formatting import VERDICTS, percent, points_with_interval
from grasp_bench.report.page.blocks import PageSection, Prose
from grasp_bench.report.schema import Ranking, RankingTests
from grasp_bench.report.sections.ranking import mean_of, not_above_controls, ordered_rows

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData


def summary_section(data: PageData) -> PageSection:
    """Sentences, the ranking that counts first."""
    lines = [
        line
        for ranking in data.board["rankings"]
        for protocol in data.protocols(ranking)
        for line in _ranking_lines(data, ranking, protocol)
    ]
    lines += [*_claims(data), *_ablations(data), *_noise(data)]
    lines += [line for each in data.findings for line in each.study.summary(each.found)]
    if data.board["missing"]:
        count = len(data.board["missing"])
        lines.append(f"{count} planned cell{'s are' if count > 1 else ' is'} not finished (see the end).")
    return PageSection("found", "What was found", [Prose(lines, listed=True)])


def _ranking_lines(data: PageData, ranking: Ranking, protocol: str) -> Iterator[str]:
    metric = data.metric
    where = f"{protocol.capitalize()} ranking{data.suffix(ranking)}"
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or tests["best"] is None:
        return
    best = next(row for row in ranking["rows"] if row["label"] == tests["best"])
    value = mean_of(best, protocol, metric)
    told = percent(value["mean"] if value else None)
    yield f"{where}: “{tests['best']}” has the highest {metric} ({told} %); {_against_best(tests)}."
    for note in not_above_controls(ordered_rows(ranking, protocol, metric), protocol, metric):
        yield f"{where}: {note[0].lower()}{note[1:]}"


def _against_best(tests: RankingTests) -> str:
    """What is not told from the best, and of what nothing is known."""
    equals = [f"“{label}”" for label in tests["tier"] if label != tests["best"]]
    once = [f"“{pair['label']}”" for pair in tests["pairs"] if pair["p_holm"] is None]
    if not tests["pairs"]:
        return "nothing else could be tested against it"
    if len(once) == len(tests["pairs"]):
        return "one training of it or of each other says nothing of another training"
    told = "every method that was tested against it is below it beyond chance"
    if equals:
        told = f"not distinguishable from it: {', '.join(equals)}"
    return f"{told}; trained once, so that nothing is known: {', '.join(once)}" if once else told


def _claims(data: PageData) -> Iterator[str]:
    claims = data.board["claims"]
    if not data.board["rankings"] and not claims:
        return
    if not claims:
        yield "The spec declares no hypothesis: all tests here are exploratory."
        return
    counts = Counter(claim["verdict"] for claim in claims)
    told = ", ".join(
        f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in VERDICTS if counts[verdict]
    )
    word = "hypothesis" if len(claims) == 1 else "hypotheses"
    yield f"Of {len(claims)} declared {word}: {told}."


def _ablations(data: PageData) -> Iterator[str]:
    for ranking in data.board["rankings"]:
        for protocol in data.protocols(ranking)[:1]:
            deltas = data.deltas_of(ranking, protocol)
            if deltas:
                most = min(deltas, key=lambda delta: delta["test"]["difference"])
                yield (
                    f"Of the ablations, “{most['label']}” stands lowest against “{most['base']}”: "
                    f"{points_with_interval(most['test'])} points of {data.metric} ({protocol} ranking)."
                )


def _noise(data: PageData) -> Iterator[str]:
    """Who keeps most and least of its metric, among those that read what is corrupted."""
    for ranking in data.board["rankings"]:
        for found in ranking["noise"]:
            kept = {
                curve["label"]: curve["retained"]["mean"]
                for curve in found["curves"]
                if curve["retained"] and not curve["constant"]
            }
            if len(kept) > 1:
                most, least = max(kept, key=lambda name: kept[name]), min(kept, key=lambda name: kept[name])
                where = f"noise ({found['kind']}; {found['protocol']} ranking{data.suffix(ranking)})"
                yield (
                    f"Under {where} “{most}” keeps {percent(kept[most])} % of its {found['metric']} on "
                    f"average over the rates, “{least}” {percent(kept[least])} %."
                )
