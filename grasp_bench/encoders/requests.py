"""Requests to an embedding API: which texts are asked for, under which keys, in which batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grasp_bench.encoders.cutting import cut_to_tokens
from grasp_bench.services.asking import Ask, request_key
from grasp_bench.services.prices import width_of
from grasp_bench.services.tokens import counter, most_tokens
from grasp_bench.spec.encoder import LiteLLMEncoder

REQUEST_TOKENS = 300_000  # what OpenAI takes in all texts of one request


@dataclass(frozen=True, slots=True)
class Wanted:
    """A distinct text, cut to what the model takes, its ledger key, and the first entity that has it."""

    about: str
    text: str
    key: bytes


def wanted(
    section: LiteLLMEncoder, side: str, names: Sequence[str], texts: Sequence[str]
) -> tuple[list[Wanted], np.ndarray]:
    """Each text once, and where each of `texts` is among those, (n,) int64."""
    count = counter(section.model).count
    cut = [cut_to_tokens(text, section.max_tokens, count) for text in texts]
    number: dict[str, int] = {}
    place = np.fromiter(
        (number.setdefault(text, len(number)) for text in cut), dtype=np.int64, count=len(cut)
    )
    first = np.unique(place, return_index=True)[1]
    arguments = parameters(section)
    return [
        Wanted(
            f"{side} '{names[row]}'",
            text,
            request_key("embedding", section, {**arguments, "input": [text]}),
        )
        for text, row in zip(number, first.tolist(), strict=True)
    ], place


def parameters(section: LiteLLMEncoder) -> dict[str, Any]:
    """Arguments besides the texts: a width that is not the model's own is a wish, to be sent."""
    own = width_of(section.model)
    return {"dimensions": section.dimensions} if own and section.dimensions not in (None, own) else {}


def batches(section: LiteLLMEncoder, texts: Iterable[Wanted], width: int | None) -> Iterator[Ask]:
    """Requests of at most `batch_size` texts and of no more tokens than a provider takes.

    `width` is that of the vectors, where it is known.
    """
    batch: list[Wanted] = []
    size = 0
    for each in texts:
        most = most_tokens(each.text)
        if batch and (len(batch) == section.batch_size or size + most > REQUEST_TOKENS):
            yield _ask(section, batch, size, width)
            batch, size = [], 0
        batch.append(each)
        size += most
    if batch:
        yield _ask(section, batch, size, width)


def _ask(section: LiteLLMEncoder, batch: Sequence[Wanted], most_input: int, width: int | None) -> Ask:
    others = f" and {len(batch) - 1} others" if len(batch) > 1 else ""
    return Ask(
        keys=tuple(each.key for each in batch),
        arguments={**parameters(section), "input": [each.text for each in batch]},
        most_input=most_input,
        most_output=0,
        about=f"{batch[0].about}{others}",
        width=width,
    )
