"""Arrange components of variance and seeds needed as a document."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import count, percent, percent_with_interval, points
from grasp_bench.stats.levels import ALPHA
from grasp_bench.stats.power import MOST_TRAININGS
from grasp_bench.stats.trainings import factors
from grasp_bench.studies.power.schema import MethodParts, Need, PairPower, ScalePower, SeedsNeeded

UNITS = "Means in percent; standard deviations and differences in points of percent."
PARTS_NOTE = (
    "Standard deviations, each with the other parts taken out. users: what the choice of users gives to the "
    "mean, and (a user) between users. trainings: between seeds, with its 95 % interval by chi-square. rest: "
    "what is left, in the mean of one training."
)
ONCE_NOTE = "Trained once: {}. One training tells nothing of another."


def lay_out_power(found: SeedsNeeded) -> Document:
    """Arrange one section for each dataset, metric and protocol: components first, then seeds."""
    several = len({scale["protocol_hash"] for scale in found["scales"]}) > 1
    sections = [_section(scale, found, several) for scale in found["scales"]]
    absent = [f"Not told: {name} (not finished, or not measured so)." for name in found["untold"]]
    return Document(f"{found['name']}: how many seeds", [UNITS, *absent], sections)


def _section(scale: ScalePower, found: SeedsNeeded, several: bool) -> Section:
    where = f", {scale['dataset']} ({scale['protocol_hash']})" if several else f", {scale['dataset']}"
    tables = [_components(scale["methods"])]
    if scale["pairs"]:
        tables.append(_seeds(scale["pairs"], found))
    return Section(f"{scale['metric']}, {scale['protocol']} ranking{where}", tables)


def _components(methods: Sequence[MethodParts]) -> Table:
    heads = ["method", "trainings", "mean", "sd users (a user)", "sd trainings [95 %]", "sd rest"]
    rows = [
        [each["label"], str(each["trainings"]), percent(each["mean"]), *_spreads(each), percent(each["rest"])]
        for each in methods
    ]
    once = [each["label"] for each in methods if each["rest"] is None]
    notes = [PARTS_NOTE, *([ONCE_NOTE.format(", ".join(once))] if once else [])]
    known = [each["trainings"] for each in methods if each["rest"] is not None]
    if known:
        notes.append(_how_well_known(min(known)))
    return Table.of_texts("Components of variance", heads, rows, notes)


def _how_well_known(trainings: int) -> str:
    low, high = factors(trainings)
    return (
        f"From {trainings} trainings the standard deviation between them is only known to lie from {low:.2g} "
        f"to {high:.2g} times its estimate, and the seeds needed grow with its square: take them for an "
        "order of magnitude."
    )


def _seeds(pairs: Sequence[PairPower], found: SeedsNeeded) -> Table:
    heads = ["pair", "trainings", "difference", "sd users", "detects now"]
    heads += [f"{size:g} {'point' if size == 1 else 'points'}" for size in found["points"]]
    rows = []
    for pair in pairs:
        name = f"{pair['better']} > {pair['than']}" if found["declared"] else pair["better"]
        today = " / ".join(str(each or BLANK) for each in dict.fromkeys(pair["trainings"]))
        figures = points(pair["difference"]), percent(pair["users"]), percent(pair["tells"])
        needs = [need_text(each) for each in pair["needs"]] or [BLANK] * len(found["points"])
        rows.append([name, today, *figures, *needs])
    title = f"Seeds needed: trainings of each method that tell a difference with {power_text(found['power'])}"
    return Table.of_texts(title, heads, rows, _notes(pairs, found))


def power_text(power: float) -> str:
    """`80 % power`."""
    return f"{100 * power:g} % power"


def _notes(pairs: Sequence[PairPower], found: SeedsNeeded) -> list[str]:
    notes = [
        f"By the test that decides, two-sided at {ALPHA:g}, for one pair: Holm's correction over several "
        "asks for more, and is not counted. sd users: what the choice of users gives to the difference, "
        "however many trainings. detects now: the smallest true difference that the trainings there are "
        "would show. Spreads are not taken below the bounds of the test."
    ]
    if not found["declared"]:
        notes.append(f"Each method against the best, {pairs[0]['than']}: no hypothesis is declared.")
    needs = [each for pair in pairs for each in pair["needs"]]
    if any(each["users"] for each in needs):
        notes.append("> N users: no number of trainings suffices, for the users' part alone is too large; "
                     "with more trainings it would still take more than N users.")  # fmt: skip
    if any(not each["users"] and each["trainings"] is None for each in needs):
        notes.append(f"> {MOST_TRAININGS}: more trainings than that.")
    if any(pair["tells"] is None for pair in pairs):
        notes.append("Blank: one of the two was trained once.")
    return notes


def _spreads(method: MethodParts) -> tuple[str, str]:
    """Between users and between trainings; blank of a method that was trained once."""
    if method["interval"] is None or method["between_trainings"] is None:
        return BLANK, BLANK
    users = f"{percent(method['users'])} ({percent(method['user'])})"
    return users, percent_with_interval(method["between_trainings"], *method["interval"])


def need_text(each: Need) -> str:
    """`5`, `> 50`, or `> 14,000 users`."""
    if each["users"]:
        return f"> {count(_two_digits(each['users']))} users"
    return f"> {MOST_TRAININGS}" if each["trainings"] is None else str(each["trainings"])


def _two_digits(number: int) -> int:
    """Round to two digits: an estimate is not known to the unit."""
    return round(number, 2 - len(str(number)))
