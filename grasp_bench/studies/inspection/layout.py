"""Show the samples and figures of inspected texts and neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from grasp_bench.data.audits.coverage import CoverageAudit
from grasp_bench.report.document import Document, Section, Table
from grasp_bench.report.formatting import number, p_value, share, with_interval
from grasp_bench.stats.shares import Share
from grasp_bench.studies.inspection.memorisation import Memorisation, TaskRecall
from grasp_bench.studies.inspection.neighbours import NeighbourInspection, Rate
from grasp_bench.studies.inspection.texts import Nearby, Sampled, TextInspection
from grasp_bench.text.answers import TextStatistics

COVERAGE_NOTE = (
    "Share of texts that hold a rare word which only that item of the user's whole history explains. "
    "Coverage is 1 when the held-out item is told like training items, 0 when like items of like-minded "
    "users; 99.9 % interval."
)


def lay_out_text(found: TextInspection) -> Document:
    """Arrange samples, then figures."""
    source = ", ".join(f"{key} {value}" for key, value in found.source.items())
    sections = [
        *sample_sections(found.samples, found.side),
        Section("Texts", [_statistics(found.statistics)], _remarks(found)),
    ]
    if found.coverage is not None:
        sections.append(_coverage(found.coverage, found))
    return Document(f"Text of {found.side}, {found.cell}", [source], sections)


def _statistics(found: TextStatistics) -> Table:
    rows = [
        [name, *(f"{spread.get(head, 0):,.0f}" for head in found.characters)]
        for name, spread in (("characters", found.characters), ("words", found.words))
        if spread
    ]
    return Table.of_texts("Length", ["", *found.characters], rows)


def _remarks(found: TextInspection) -> list[str]:
    said = found.statistics
    lines = [
        f"{said.count:,} texts, {said.empty:,} empty, {said.distinct:,} distinct; "
        f"{said.repeated:,} are another entity's as well"
    ]
    if said.commonest is not None:
        text, times = said.commonest
        lines.append(f"most common ({times:,} times): {' '.join(text.split())[:200]}")
    lines.append(f"judged as answers: {_counts(said.verdicts)}")
    if found.verdicts is not None:
        lines.append(f"answers before the fallback: {_counts(found.verdicts)}")
    if found.echoes is not None:
        lines.append(
            f"echoes: {found.echoes['repeats_prompt']:,} texts repeat their prompt, "
            f"{found.echoes['fits_any']:,} would fit any of the {found.side}"
        )
    lines.append(
        f"generic-ness: {share(said.said_of_many)} of a text's words are in at least a tenth of all texts; "
        f"{share(said.distinct_bigrams)} of word pairs in a sample are different"
    )
    return lines


def _counts(verdicts: object) -> str:
    assert isinstance(verdicts, dict)
    return ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items() if count) or "none"


def _coverage(found: CoverageAudit, inspection: TextInspection) -> Section:
    rows = [
        [part, f"{each.users:,}", share(each.held_out), share(each.training), share(each.control),
         with_interval(each.ratio, each.low, each.high), "yes" if each.flagged else "no"]
        for part, each in found.parts.items()
    ]  # fmt: skip
    heads = ["held out", "users", "told", "training items", "like-minded", "coverage", "flagged"]
    verdict = (
        "The texts were made from held-out items: taste does not explain what they tell."
        if found.flagged
        else "Nothing that taste does not explain."
    )
    lines = [verdict, f"training items, latest first: {', '.join(share(rate) for rate in found.recency)}"]
    lines += [f"user {user}: '{word}' of {title}" for user, title, word in inspection.covered]
    return Section("Held-out items", [Table.of_texts("Coverage", heads, rows, [COVERAGE_NOTE])], lines)


SHARED = {"items": "a buyer in training", "users": "a training item"}
NOTE = (
    "Shares of an entity's neighbours, or of as many random partners. Matched partners are as popular as the "
    "neighbours; lift is neighbours over matched, with its 95 % bootstrap interval."
)


def lay_out_neighbours(found: NeighbourInspection) -> Document:
    """Arrange samples, then figures."""
    hubs = found.hubs
    lines = [
        f"cosine of the nearest: {_quantiles(found.nearest)}; of the last of {found.num_neighbours}: "
        f"{_quantiles(found.farthest)}",
        f"the most frequent 1 % take {share(hubs.top_share)} of all places, {share(hubs.never)} are nobody's "
        f"neighbour (skewness {number(hubs.skewness)})",
        f"most frequent: {found.most_frequent}, {hubs.most[1]:,} times",
        f"{share(hubs.clones)} have a nearest neighbour that cannot be told from them",
    ]
    tables = [_rates(f"Sharing {SHARED[found.side]}", found.behaviour)]
    if found.traits:
        tables.append(_rates("Sharing a trait", found.traits))
    sections = [*sample_sections(found.samples, found.side), Section("Neighbours", tables, lines)]
    return Document(f"Neighbours of {found.side}, {found.cell}", [], sections)


def _rates(title: str, rates: Mapping[str, Rate]) -> Table:
    rows = [
        [name, f"{rate.entities:,}", share(rate.neighbours), share(rate.matched), share(rate.uniform),
         with_interval(rate.lift, rate.low, rate.high)]
        for name, rate in rates.items()
    ]  # fmt: skip
    return Table.of_texts(title, ["", "entities", "neighbours", "matched", "uniform", "lift"], rows, [NOTE])


def _quantiles(values: Mapping[str, float]) -> str:
    return ", ".join(f"{number(value, 3)} ({name})" for name, value in values.items())


LONGEST = 600  # characters of a text or prompt; JSON has all


def sample_sections(samples: Sequence[Sampled], side: str) -> list[Section]:
    """One section for each entity."""
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


TASK_TITLES = {
    "title": "Second half of a title, by its first",
    "record": "Title of an id",
    "shown": "Title of an id that the prompt shows: can the model follow the question?",
}
MEMORY_NOTE = (
    "Exact: the words that are wanted. Near: F1 of words of at least a half. 95 % intervals by Wilson. "
    "Swapped: the same answers against another item of the category. Guess: the most frequent continuation, "
    "or the neighbouring title or id, in the rest of the catalogue. p: sign test of the model and the guess."
)


def lay_out_memorisation(found: Memorisation) -> Document:
    """Arrange recall of each task, then what was recalled best."""
    facts = [
        f"{found.model} was asked for titles of '{found.called}' ({found.items:,} items), seed {found.seed}; "
        f"{found.spend['sent']:,} requests sent, {found.spend['reused']:,} answered before"
    ]
    sections = [_recall(each) for each in found.tasks]
    return Document(f"Memorisation of {found.dataset}, {found.model}", facts, sections)


def _recall(found: TaskRecall) -> Section:
    rows = [
        [kind, *map(_share, (each.model, each.swapped, each.guess)), f"{each.only_model} / {each.only_guess}",
         p_value(each.p)]
        for kind, each in (("exact", found.exact), ("near", found.near))
    ]  # fmt: skip
    heads = ["recall", "model", "swapped", "guess", "only model / guess", "p"]
    title = f"{TASK_TITLES[found.task]}: {found.asked} items"
    lines = [
        f"{each.recalled}: {each.item}, {each.given} | {each.truth}; answered: {_cut(each.answer)}"
        for each in found.examples
    ]
    return Section(found.task, [Table.of_texts(title, heads, rows, [MEMORY_NOTE])], lines)


def _share(found: Share) -> str:
    return f"{share(found.rate)} [{share(found.low)}, {share(found.high)}]"
