"""Vectors from an embedding API: texts are asked for once, in batches, and read back from the ledger.

Requests to an embedding API: which texts are asked for, under which keys, in which batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grasp_bench.core.errors import ServiceError
from grasp_bench.encoders.batching import truncate_to_tokens
from grasp_bench.encoders.vectors import normalize
from grasp_bench.services.answers import vector_fault
from grasp_bench.services.dispatch import ServiceContext, Summary, dispatch
from grasp_bench.services.ledger import CHUNK, Answer, Ledger
from grasp_bench.services.prices import width_of
from grasp_bench.services.requests import ServiceRequest, request_key
from grasp_bench.services.tokens import counter, most_tokens
from grasp_bench.spec.encoder import LiteLLMEncoder

REQUEST_TOKENS = 300_000  # what OpenAI takes in all texts of one request


@dataclass(frozen=True, slots=True)
class DistinctText:
    """A distinct text, cut to what the model takes, its ledger key, and the first entity that has it."""

    about: str
    text: str
    key: bytes


def distinct_texts(
    section: LiteLLMEncoder, side: str, names: Sequence[str], texts: Sequence[str]
) -> tuple[list[DistinctText], np.ndarray]:
    """Each text once, and where each of `texts` is among those, (n,) int64."""
    count = counter(section.model).count
    cut = [truncate_to_tokens(text, section.max_tokens, count) for text in texts]
    number: dict[str, int] = {}
    place = np.fromiter(
        (number.setdefault(text, len(number)) for text in cut), dtype=np.int64, count=len(cut)
    )
    first = np.unique(place, return_index=True)[1]
    arguments = parameters(section)
    return [
        DistinctText(
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


def embedding_requests(
    section: LiteLLMEncoder, texts: Iterable[DistinctText], width: int | None
) -> Iterator[ServiceRequest]:
    """Requests of at most `batch_size` texts and of no more tokens than a provider takes.

    `width` is that of the vectors, where it is known.
    """
    batch: list[DistinctText] = []
    size = 0
    for each in texts:
        most = most_tokens(each.text)
        if batch and (len(batch) == section.batch_size or size + most > REQUEST_TOKENS):
            yield _request(section, batch, size, width)
            batch, size = [], 0
        batch.append(each)
        size += most
    if batch:
        yield _request(section, batch, size, width)


def _request(
    section: LiteLLMEncoder, batch: Sequence[DistinctText], most_input: int, width: int | None
) -> ServiceRequest:
    others = f" and {len(batch) - 1} others" if len(batch) > 1 else ""
    return ServiceRequest(
        keys=tuple(each.key for each in batch),
        arguments={**parameters(section), "input": [each.text for each in batch]},
        most_input=most_input,
        most_output=0,
        about=f"{batch[0].about}{others}",
        width=width,
    )


class LiteLLMVectors:
    """Asks for the vectors that the ledger does not hold, and never twice for the same text.

    Every text has a ledger entry of its own, so that a later run may cut batches differently. The first
    request holds one text: a wrong width is found before the rest is paid for. Vectors that an earlier
    version kept and that are of no use (zero, not finite, of another width) are asked for again.

    Raises ServiceError (the provider's failures, a wrong width) and BudgetError.
    """

    def __init__(self, section: LiteLLMEncoder, side: str, context: ServiceContext) -> None:
        self._section = section
        self._side = side
        self._context = context
        self.unit_norm = section.normalize

    def vectors(self, names: Sequence[str], texts: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 in the order of the texts, and facts with what they cost."""
        distinct, place = distinct_texts(self._section, self._side, names, texts)
        with Ledger(self._context.ledger) as ledger:
            order = _Order(self._section, distinct, ledger)
            dropped = order.drop_useless()
            reused = len(distinct) - sum(1 for _ in order.missing(distinct))
            first = order.buy(distinct[:1], self._context, reused, order.declared_width)
            width = order.width()
            rest = order.buy(distinct, self._context, reused + first.sent - first.retried, width)
            found = order.matrix(width)
        cut = sum(len(distinct[k].text) < len(text) for k, text in zip(place.tolist(), texts, strict=True))
        return (found if len(distinct) == len(texts) else found[place]), {
            "model": self._section.model,
            "distinct": len(distinct),
            "cut": cut,
            "tokens_counted": "exactly" if counter(self._section.model).exact else "nearly",
            "spend": _spend(first, rest, reused),
            **({"dropped": dropped} if dropped else {}),
        }


@dataclass(frozen=True)
class _Order:
    """What is wanted of the service, beside the ledger that fills up with it."""

    section: LiteLLMEncoder
    distinct: Sequence[DistinctText]
    ledger: Ledger

    def missing(self, texts: Sequence[DistinctText]) -> Iterator[DistinctText]:
        """Those without an answer, looked up while they are drawn."""
        for start in range(0, len(texts), CHUNK):
            block = texts[start : start + CHUNK]
            gone = self.ledger.missing([each.key for each in block])
            yield from (each for each, is_gone in zip(block, gone, strict=True) if is_gone)

    @property
    def declared_width(self) -> int | None:
        """The width that the spec or the model's own line in the cost map says."""
        return self.section.dimensions or width_of(self.section.model)

    def drop_useless(self) -> int:
        """Forget kept vectors that no run could use; how many those were.

        Where no width is declared, the one that most of them have is taken.
        """
        sizes: dict[bytes, int] = {}
        useless: list[bytes] = []
        for start in range(0, len(self.distinct), CHUNK):
            keys = [each.key for each in self.distinct[start : start + CHUNK]]
            for key, answer in zip(keys, self.ledger.find(keys), strict=True):
                if answer is not None and vector_fault(np.frombuffer(answer.content, dtype="<f4")):
                    useless.append(key)
                elif answer is not None:
                    sizes[key] = len(answer.content) // 4
        width = self.declared_width or (Counter(sizes.values()).most_common(1)[0][0] if sizes else None)
        useless += [key for key, size in sizes.items() if size != width]
        self.ledger.drop(useless)
        return len(useless)

    def buy(
        self, texts: Sequence[DistinctText], context: ServiceContext, before: int, width: int | None
    ) -> Summary:
        """Have what is missing answered, and report texts instead of requests; `before` are there."""
        texts_after = [before]

        def drawn() -> Iterator[ServiceRequest]:
            for request in embedding_requests(self.section, self.missing(texts), width):
                texts_after.append(texts_after[-1] + len(request.keys))
                yield request

        def report(requests: int) -> None:
            context.report(texts_after[requests])

        return dispatch("embedding", drawn(), replace(context, report=report))

    def width(self) -> int:
        """That of the first vector, which must be the one declared or, by default, the one known."""
        (first,) = self._read(self.distinct[:1])
        return self._checked(self.distinct[0], first, self.declared_width)

    def matrix(self, width: int) -> np.ndarray:
        """Vectors (distinct, width), read a block at a time."""
        found = np.empty((len(self.distinct), width), dtype=np.float32)
        for start in range(0, len(self.distinct), CHUNK):
            texts = self.distinct[start : start + CHUNK]
            block = found[start : start + CHUNK]
            for row, (each, vector) in enumerate(zip(texts, self._read(texts), strict=True)):
                self._checked(each, vector, width)
                block[row] = vector
            if self.section.normalize:
                normalize(block)
        return found

    def _read(self, texts: Sequence[DistinctText]) -> list[np.ndarray]:
        answers = self.ledger.find([each.key for each in texts])
        return [_vector(each, answer) for each, answer in zip(texts, answers, strict=True)]

    def _checked(self, each: DistinctText, vector: np.ndarray, width: int | None) -> int:
        if width is not None and vector.size != width:
            raise ServiceError(
                f"{each.about}: '{self.section.model}' gave {vector.size} dimensions, not {width}",
                mend=f"set encoder.dimensions: {vector.size} if that is what the model gives",
            )
        return int(vector.size)


def _vector(each: DistinctText, answer: Answer | None) -> np.ndarray:
    if answer is None:
        raise ServiceError(f"{each.about}: the answer is gone from the ledger", mend="run again")
    return np.frombuffer(answer.content, dtype="<f4")


def _spend(first: Summary, rest: Summary, reused: int) -> dict[str, Any]:
    """Requests of this run, texts that needed none, and all that the node ever spent."""
    spent = rest.spent
    return {
        "sent": first.sent + rest.sent, "reused": reused, "retried": first.retried + rest.retried,
        "input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens,
        "cost_usd": spent.cost_usd, "lost_requests": spent.lost_requests,
    }  # fmt: skip
