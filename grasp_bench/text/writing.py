"""One way into the package: a source and its subjects in, a stream of checked texts out."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.spec.text import LiteLLMText, PrecomputedText, TextSource
from grasp_bench.text.registry import PROVIDERS
from grasp_bench.text.subjects import Account, Subjects, Written


def write_texts(source: TextSource, subjects: Subjects, account: Account | None = None) -> Written:
    """Let the source's provider write, and check what comes while it is read.

    `account` is needed by sources that ask a paid service. Facts: count, distinct, empty, and the
    provider's own. Raises DataError naming the entity when a text is blank and the source does not
    allow missing ones.
    """
    written = PROVIDERS.get(source.provider)(source).write(subjects, account or Account())
    facts: dict[str, Any] = {}
    return Written(_checked(written, source, subjects, facts), facts)


def _checked(
    written: Written, source: TextSource, subjects: Subjects, facts: dict[str, Any]
) -> Iterator[str]:
    hashes = array("q")  # eight bytes a text instead of a set of texts
    blank, first_blank = 0, -1
    for k, text in enumerate(written.texts):
        if not text or text.isspace():
            blank, first_blank = blank + 1, k if first_blank < 0 else first_blank
        hashes.append(hash(text))
        yield text
    if len(hashes) != len(subjects.ids):
        raise DataError(f"{len(hashes)} texts for {len(subjects.ids)} {subjects.side}")
    if blank and not _may_be_blank(source):
        raise DataError(
            f"text.{subjects.side}: {blank} texts are empty, first that of '{subjects.ids[first_blank]}'",
            mend="let the template say something of every entity, e.g. with missing: unknown",
        )
    distinct = len(np.unique(np.frombuffer(hashes, dtype=np.int64))) if hashes else 0
    facts |= {"count": len(hashes), "empty": blank, "distinct": distinct, **written.facts}


def _may_be_blank(source: TextSource) -> bool:
    if isinstance(source, PrecomputedText):
        return source.missing == "empty"
    return isinstance(source, LiteLLMText) and source.fallback == "drop"
