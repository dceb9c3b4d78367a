"""Noise on the board: what methods keep at each rate, and whose drop is larger."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
from grasp_bench.report.findings.interval import Interval
from grasp_bench.report.numbers import p_value, percent_with_interval, points, points_with_interval
from grasp_bench.report.schema import ALL_PAIRS_OF, Degradation, NoiseCurve, Ranking

CURVE_NOTES = (
    "95 % intervals for other users and trainings. Area: mean over the range of rates, by trapezoids; kept: "
    "area over the value at the lowest rate.",
    "Below its backbone: from which rate on the mean is, by straight lines between rates. It has no "
    "interval of its own: those of the rates beside it say how sure it is.",
)
DROP_NOTE = (
    "Drop: what is lost from the lowest rate to this one. The difference is the first's drop less the "
    "second's: above 0 the first loses more. CI and p: users and trainings crossed, two-sided; "
    "Benjamini–Hochberg over this table."
)


def noise_section(ranking: Ranking, first: str, suffix: str) -> Section | None:
    """All kinds and protocols of a ranking, the asked-for protocol first; None without noise."""
    found = sorted(ranking["noise"], key=lambda each: (each["kind"], each["protocol"] != first))
    tables = [table for each in found for table in (noise_table(each), drop_table(each)) if table is not None]
    return Section(f"Under noise{suffix}", tables, kind="noise") if tables else None


def noise_table(found: Degradation) -> Table:
    """The metric of every method at every rate, its area, and where it falls below its backbone."""
    columns = [Column("method", "left"), Column("trainings", spare=True)]
    columns += [Column(f"{rate:g}") for rate in found["rates"]]
    columns += [Column("area"), Column("kept"), Column("below its backbone", "left")]
    rows = [_curve_row(curve, found["rates"]) for curve in found["curves"]]
    title = f"{found['metric']}, {found['protocol']} ranking, by share of entities hit ({found['kind']})"
    return Table(title, columns, rows, CURVE_NOTES)


def _curve_row(curve: NoiseCurve, rates: list[float]) -> list[Entry]:
    by_rate = {point["rate"]: point for point in curve["points"]}
    label = f"{curve['label']} (notices none)" if curve["constant"] else curve["label"]
    return [
        Entry(label),
        Entry(" / ".join(map(str, dict.fromkeys(curve["trainings"])))),
        *(Entry(_figure(by_rate.get(rate))) for rate in rates),
        Entry(_figure(curve["area"])),
        Entry(BLANK if curve["constant"] else _figure(curve["retained"])),
        Entry(curve["below_words"] or BLANK),
    ]


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return BLANK
    return percent_with_interval(interval["mean"], interval["low"], interval["high"])


def drop_table(found: Degradation) -> Table | None:
    """Tests of drop against drop; None where there is nothing to compare."""
    if not found["drops"]:
        return None
    columns = [
        Column("drop of", "left"), Column("less that of", "left"), Column("rate"), Column("first"),
        Column("second"), Column("difference [95 % CI]"), Column("p"), Column("p BH"),
    ]  # fmt: skip
    rows = [
        [
            Entry(drop["a"]), Entry(drop["b"]), Entry(f"{drop['rate']:g}"), Entry(points(drop["drop_a"])),
            Entry(points(drop["drop_b"])), Entry(points_with_interval(drop)),
            Entry(p_value(drop["p"])), Entry(p_value(drop["p_adjusted"])),
        ]
        for drop in found["drops"]
    ]  # fmt: skip
    notes = [DROP_NOTE]
    if len({drop["a"] for drop in found["drops"]}) >= ALL_PAIRS_OF:
        best = found["drops"][0]["b"]
        notes.append(
            f"Of more than {ALL_PAIRS_OF} methods, each stands against {best}, the best at the lowest rate."
        )
    return Table(f"Drop against drop, {found['protocol']} ranking", columns, rows, notes)
