"""One way into the package: a source and its subjects in, checked texts out."""

from __future__ import annotations

from grasp_bench.core.errors import DataError
from grasp_bench.spec.text import PrecomputedText, TextSource
from grasp_bench.text.registry import PROVIDERS
from grasp_bench.text.subjects import Subjects, Written


def write_texts(source: TextSource, subjects: Subjects) -> Written:
    """Let the source's provider write, and check what comes back.

    Raises DataError naming the entity when a text is blank and the source does not allow missing ones.
    """
    written = PROVIDERS.get(source.provider)(source).write(subjects)
    if len(written.texts) != len(subjects.ids):
        raise DataError(f"{len(written.texts)} texts for {len(subjects.ids)} {subjects.side}")
    blank = [k for k, text in enumerate(written.texts) if not text or text.isspace()]
    allowed = isinstance(source, PrecomputedText) and source.missing == "empty"
    if blank and not allowed:
        raise DataError(
            f"text.{subjects.side}: {len(blank)} texts are empty, first that of '{subjects.ids[blank[0]]}'",
            mend="let the template say something of every entity, e.g. with missing: unknown",
        )
    facts = {"count": len(written.texts), "empty": len(blank), "distinct": len(set(written.texts))}
    return Written(written.texts, {**facts, **written.facts})
