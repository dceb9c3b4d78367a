"""Say in words what latency figures mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grasp_bench.studies.latency.schema import LatencyCell

HOLDS, FAILS, CANNOT_TELL = "holds", "does not hold", "cannot be told"
VERDICTS = (HOLDS, FAILS, CANNOT_TELL)


def claim_of(cells: Sequence[LatencyCell], items: int, candidates: int) -> str:
    """Say whether "under 1 ms extra a request" holds, for the catalogue and for a few candidates."""
    if not any(cell["extras"] for cell in cells):
        return "Under 1 ms extra a request: cannot be told, no cell stands beside its bare backbone."
    asked = {"catalogue": f"the whole catalogue ({items:,} items)", "candidates": f"{candidates} candidates"}
    told = [f"{words}: {_verdicts(cells, ranking)}" for ranking, words in asked.items()]
    return "Under 1 ms extra a request, all of users precomputed – " + "; ".join(told) + "."


def _verdicts(cells: Sequence[LatencyCell], ranking: str) -> str:
    by_verdict: dict[str, list[str]] = {}
    for cell in cells:
        for extra in cell["extras"]:
            if (extra["path"], extra["ranking"]) == ("model", ranking):
                by_verdict.setdefault(extra["verdict"], []).append(cell["label"])
    parts = []
    for verdict in VERDICTS:
        names = list(dict.fromkeys(by_verdict.get(verdict, [])))
        if names:
            parts.append(f"{verdict} for {', '.join(names)}")
    return ", ".join(parts)


def notes_on(cells: Sequence[LatencyCell], requests: int, cold: int, load: float | None) -> list[str]:
    """Say how it was measured, and what was not."""
    notes = [
        f"One request at a time, {requests} users, their training and validation items as history. "
        "Cells and their bare backbones take turns of ten requests on a machine that may be doing other "
        "things: read differences before absolute times. Waiting is no part of the processor's time.",
        "Extra: median of the differences to the bare backbone, paired by request, with its 95 % interval by "
        "bootstrap over requests.",
        "model: vectors of users and of their neighbours are there; live: the user's neighbours are searched "
        "among the stored vectors in the request; text: the user's stored text is encoded before that.",
    ]
    if cold:
        notes.append(
            f"Cold: the first request of a fresh process that has loaded the model and what all requests "
            f"share; {cold} processes, files in the page cache."
        )
    if load is not None:
        notes.append(
            f"Processes at work on the machine in the last minutes of measuring: {load:.1f} in the mean."
        )
    return [*notes, *_reasons(cells)]


def _reasons(cells: Sequence[LatencyCell]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for path, reason in cell["not_measured"].items():
            reasons.setdefault((path, reason), []).append(cell["label"])
    for (path, reason), names in reasons.items():
        yield f"Not measured, {path} of {', '.join(dict.fromkeys(names))}: {reason}."
    alone = [c["label"] for c in cells if c["enhancer"] != "none" and not c["extras"]]
    if alone:
        yield f"Without a trained bare backbone to compare with: {', '.join(dict.fromkeys(alone))}."
