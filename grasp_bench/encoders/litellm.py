"""Encode texts with an embedding API, in batches; each text is sent once and read from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grasp_bench.core.errors import ServiceError
from grasp_bench.encoders.batching import truncate_to_tokens
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.encoders.vectors import normalize
from grasp_bench.services.answers import vector_fault
from grasp_bench.services.dispatch import ServiceContext, Summary, dispatch
from grasp_bench.services.ledger import CHUNK, Answer, Ledger
from grasp_bench.services.prices import width_of
from grasp_bench.services.requests import ServiceRequest, request_key
from grasp_bench.services.tokens import counter, most_tokens

REQUEST_TOKENS = 300_000  # OpenAI's limit for all texts of one request


@dataclass(frozen=True, slots=True)
class DistinctText:
    """A distinct truncated text, its ledger key, and the first entity that has it."""

    about: str
    text: str
    key: bytes


def distinct_texts(
    section: LiteLLMEncoder, side: str, names: Sequence[str], texts: Sequence[str]
) -> tuple[list[DistinctText], np.ndarray]:
    """Return each text once, and the place of each of `texts` among them, (n,) int64."""
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
    """Return arguments besides the texts: `dimensions` is sent when it is not the model's default."""
    own = width_of(section.model)
    return {"dimensions": section.dimensions} if own and section.dimensions not in (None, own) else {}


def embedding_requests(
    section: LiteLLMEncoder, texts: Iterable[DistinctText], width: int | None
) -> Iterator[ServiceRequest]:
    """Yield requests of at most `batch_size` texts and REQUEST_TOKENS tokens.

    `width` is the vectors' dimension, if known.
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
    """Requests the vectors that the ledger lacks, never twice for the same text.

    Every text has its own ledger entry, so that a later run may form other batches. The first request holds
    one text, so that a wrong width is found before the rest is paid for. Useless vectors of earlier versions
    (zero, not finite, of another width) are requested again.

    Raises ServiceError (the provider's failures, a wrong width) and BudgetError.
    """

    def __init__(self, section: LiteLLMEncoder, side: str, context: ServiceContext) -> None:
        self._section = section
        self._side = side
        self._context = context
        self.unit_norm = section.normalize

    def vectors(self, names: Sequence[str], texts: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return vectors (n, D) float32 in the order of the texts, and facts with their cost."""
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
        both = replace(rest, sent=first.sent + rest.sent, reused=reused, retried=first.retried + rest.retried)
        return (found if len(distinct) == len(texts) else found[place]), {
            "model": self._section.model,
            "distinct": len(distinct),
            "cut": cut,
            "tokens_counted": "exactly" if counter(self._section.model).exact else "nearly",
            "spend": both.facts(),
            **({"dropped": dropped} if dropped else {}),
        }


@dataclass(frozen=True)
class _Order:
    """The distinct texts of one call, and the ledger that holds their vectors."""

    section: LiteLLMEncoder
    distinct: Sequence[DistinctText]
    ledger: Ledger

    def missing(self, texts: Sequence[DistinctText]) -> Iterator[DistinctText]:
        """Yield the texts without an answer, looked up while they are read."""
        for start in range(0, len(texts), CHUNK):
            block = texts[start : start + CHUNK]
            gone = self.ledger.missing([each.key for each in block])
            yield from (each for each, is_gone in zip(block, gone, strict=True) if is_gone)

    @property
    def declared_width(self) -> int | None:
        """The dimension given by the spec, or by the cost map."""
        return self.section.dimensions or width_of(self.section.model)

    def drop_useless(self) -> int:
        """Delete useless vectors from the ledger and return their number.

        Without a declared width, the most frequent one counts as right.
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
        """Dispatch requests for missing texts; report texts instead of requests, from `before` on."""
        texts_after = [before]

        def drawn() -> Iterator[ServiceRequest]:
            for request in embedding_requests(self.section, self.missing(texts), width):
                texts_after.append(texts_after[-1] + len(request.keys))
                yield request

        def report(requests: int) -> None:
            context.report(texts_after[requests])

        return dispatch("embedding", drawn(), replace(context, report=report))

    def width(self) -> int:
        """Return the first vector's width; ServiceError when it is not the declared one."""
        (first,) = self._read(self.distinct[:1])
        return self._checked(self.distinct[0], first, self.declared_width)

    def matrix(self, width: int) -> np.ndarray:
        """Return vectors (distinct, width), read in blocks."""
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
                hint=f"set encoder.dimensions: {vector.size} if that is what the model gives",
            )
        return int(vector.size)


def _vector(each: DistinctText, answer: Answer | None) -> np.ndarray:
    if answer is None:
        raise ServiceError(f"{each.about}: the answer is gone from the ledger", hint="run again")
    return np.frombuffer(answer.content, dtype="<f4")
