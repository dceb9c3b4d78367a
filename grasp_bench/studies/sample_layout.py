"""Sampled entities as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grasp_bench.report.document import Section
from grasp_bench.studies.sampling import Nearby, Sampled
from grasp_bench.studies.wording import share

LONGEST = 600  # characters of a text or prompt; JSON has all


def sample_sections(samples: Sequence[Sampled], side: str) -> list[Section]:
    """One section an entity."""
    return [
        Section(f"{side.removesuffix('s')} {each.id}", lines=list(_lines(each, side))) for each in samples
    ]


def _lines(sampled: Sampled, side: str) -> Iterator[str]:
    if side == "users":
        yield f"history   {_history(sampled.titles, sampled.history)}"
    else:
        yield f"title     {sampled.titles[0]}"
    if sampled.prompt is not None:
        yield f"prompt    {_cut(sampled.prompt)}"
    if sampled.text is not None:
        yield f"text      {_cut(sampled.text) or '(none)'}"
    for nearby in sampled.nearest:
        yield f"near      {nearby.similarity:.3f}  {'; '.join(nearby.titles)} ({nearby.id}){_shared(nearby)}"


def _history(titles: Sequence[str], count: int) -> str:
    more = f"; … {count} in all" if count > len(titles) else ""
    return f"{'; '.join(titles)}{more}" if titles else "(none)"


def _shared(nearby: Nearby) -> str:
    told = [
        f"{column} {share(overlap)}{' (' + ', '.join(nearby.shared[column]) + ')' if overlap else ''}"
        for column, overlap in nearby.overlap.items()
    ]
    return f" · {', '.join(told)}" if told else ""


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"
