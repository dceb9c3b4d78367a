"""Quote the requests that services would get, and their tokens, before anything is sent.

Prompts are made as in the text stage and counted; answers in the ledger cost nothing. The split is read from
the store, or made in a temporary folder. Nothing is written to the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import polars as pl

from grasp_bench.core.progress import Event, Report, silent
from grasp_bench.core.store import Store
from grasp_bench.encoders.litellm import DistinctText, distinct_texts, embedding_requests
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.encoders.vectors import encoder_input
from grasp_bench.plan.nodes import Node, asks_service, service_of
from grasp_bench.services.budget import Quote, Usage
from grasp_bench.services.ledger import Ledger
from grasp_bench.services.tokens import counter
from grasp_bench.spec.choices import TextSource, text_source_of
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.split import SplitStage
from grasp_bench.stages.text import TABLE, entities_of, read_texts
from grasp_bench.text.generated import prompt_requests
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Entities, write_texts

Part = TypeVar("Part")
BLOCK = 512  # ledger keys looked up at once

SAMPLE = 200_000  # entities


def quotes(nodes: Iterable[Node], store: Store, ledger: Path, report: Report) -> list[Quote]:
    """Quote each of the nodes that calls a service. Raises what making its prompts raises."""
    with ExitStack() as opened:
        inquiry = Inquiry(store, ledger, report, opened)
        return [inquiry.quote(node) for node in nodes if asks_service(node)]


class Inquiry:
    """Makes quotes from splits, each opened once, and the ledger, if there is one."""

    def __init__(self, store: Store, ledger: Path, report: Report, opened: ExitStack) -> None:
        self._store = store
        self._report = report
        self._opened = opened
        self._splits: dict[str, Path] = {}
        # Opening a ledger creates its file, and a plan must not write.
        self._ledger = opened.enter_context(Ledger(ledger)) if ledger.is_file() else None

    def quote(self, node: Node) -> Quote:
        """Quote the requests of one node that have no answer yet."""
        made = self._for_texts(node) if node.stage == "text" else self._for_vectors(node)
        return made if self._ledger is None else replace(made, spent=self._ledger.spent(node.hash))

    def _for_texts(self, node: Node) -> Quote:
        """Count one request for each distinct prompt without an answer."""
        source = LiteLLMText.model_validate(service_of(node))
        entities, step = sample_evenly(self.entities(node, source))
        tokens = counter(source.model)
        seen: set[bytes] = set()
        sent = inward = headroom = 0
        for requests in _blocks(self._counted(prompt_requests(source, entities), node, entities)):
            for request, gone in zip(
                requests, self._missing([each.keys[0] for each in requests]), strict=True
            ):
                if request.keys[0] in seen:
                    continue
                seen.add(request.keys[0])
                if gone:
                    count = tokens.count_chat([each["content"] for each in request.arguments["messages"]])
                    sent, inward = sent + 1, inward + count
                    headroom = max(headroom, request.most_input - count)
        least = Usage(sent * step, inward * step)
        most = replace(least, output_tokens=least.requests * source.max_tokens)
        answered = (len(seen) - sent) * step
        exact = tokens.exact and step == 1
        return Quote(node.label, node.hash, source, least, most, answered, exact, headroom)

    def _for_vectors(self, node: Node) -> Quote:
        """Count batches of the distinct texts without a vector; bounds if texts are not generated yet."""
        section = LiteLLMEncoder.model_validate(service_of(node))
        text, side = _as_written(node.inputs["text"]), node.settings["side"]
        if asks_service(text) and not self._store.has(text.stage, text.hash):
            return self._before_generation(node, text, section)
        entities, step = sample_evenly(self.entities(text, text_source_of(text.located()["source"])))
        prefix = section.user_prefix if side == "users" else section.item_prefix
        encoded = encoder_input(prefix, side, list(entities.ids), list(self._texts(text, entities, step)))
        distinct = distinct_texts(section, side, encoded.names, encoded.texts)[0]
        gone = [each for block in _blocks(distinct) for each in self._gone(block)]
        tokens = counter(section.model)
        counts = [tokens.count(each.text) for each in gone]
        # The first text is sent alone, to check the width of its vector before paying for the rest.
        alone = gone[:1] if gone[:1] == distinct[:1] else []
        requests = [
            *embedding_requests(section, alone, None),
            *embedding_requests(section, gone[len(alone) :], None),
        ]
        headroom = max((each.most_input for each in requests), default=0)
        load = Usage(len(requests) * step, sum(counts) * step)
        answered = (len(distinct) - len(gone)) * step
        exact = tokens.exact and step == 1
        return Quote(node.label, node.hash, section, load, load, answered, exact, headroom)

    def _before_generation(self, node: Node, text: Node, section: LiteLLMEncoder) -> Quote:
        """Bound the tokens: no text is longer than max_tokens, except templates in place of answers."""
        source = LiteLLMText.model_validate(service_of(text))
        count = len(self.entities(text, source).ids)
        longest = min(source.max_tokens, section.max_tokens)
        most = Usage(1 + -(-(count - 1) // section.batch_size), count * longest)  # the first goes alone
        return Quote(node.label, node.hash, section, Usage(), most, 0, False, 0)

    def entities(self, text: Node, source: TextSource) -> Entities:
        """Return the users or items of a text node."""
        split = self._split(text.inputs["split"])
        return entities_of(split, text.settings["side"], source.scope, source.stale or 0)

    def _split(self, node: Node) -> Path:
        if node.hash not in self._splits:
            if self._store.has(node.stage, node.hash):
                self._splits[node.hash] = self._store.get(node.stage, node.hash).path
            else:
                folder = Path(self._opened.enter_context(TemporaryDirectory(prefix="grasp_bench_")))
                SplitStage().run(node, {}, folder, RunContext("cpu", 1, silent))
                self._splits[node.hash] = folder
        return self._splits[node.hash]

    def _texts(self, node: Node, entities: Entities, step: int) -> Iterator[str]:
        """Texts of these entities, from the store or written now by a source without a service."""
        if self._store.has(node.stage, node.hash):
            table = self._store.get(node.stage, node.hash).file(TABLE)
            return islice(read_texts(table), 0, None, step)
        source = text_source_of(node.located()["source"])
        return iter(write_texts(source, entities).texts)

    def _missing(self, keys: Sequence[bytes]) -> list[bool]:
        return [True] * len(keys) if self._ledger is None else self._ledger.missing(keys)

    def _gone(self, block: Sequence[DistinctText]) -> Iterator[DistinctText]:
        missing = self._missing([each.key for each in block])
        return (each for each, gone in zip(block, missing, strict=True) if gone)

    def _counted(self, parts: Iterable[Part], node: Node, entities: Entities) -> Iterator[Part]:
        for k, part in enumerate(parts):
            if k % BLOCK == 0:
                self._report(Event(node.label, k, len(entities.ids), "prompts counted"))
            yield part


def _as_written(text: Node) -> Node:
    """Return the node of the texts before noise, which only exchanges texts between entities."""
    while text.stage == "text_noise":
        text = text.inputs["text"]
    return text


def _blocks(parts: Iterable[Part]) -> Iterator[list[Part]]:
    stream = iter(parts)
    while block := list(islice(stream, BLOCK)):
        yield block


def sample_evenly(entities: Entities, most: int | None = None) -> tuple[Entities, int]:
    """Sample at most so many (by default SAMPLE) at even distances; also return how many each represents."""
    step = max(1, -(-len(entities.ids) // (most or SAMPLE)))
    if step == 1:
        return entities, 1
    ids = pl.Series(entities.ids).gather_every(step)
    if entities.side == "items":
        return replace(entities, ids=ids, items=entities.items.gather_every(step)), step
    users = None if entities.users is None else entities.users.gather_every(step)
    lengths = np.diff(entities.history_offsets)[::step]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    starts = entities.history_offsets[:-1:step]
    rows = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    histories = {"history_items": entities.history_items[rows], "history_offsets": offsets}
    return replace(entities, ids=ids, users=users, **histories), step
