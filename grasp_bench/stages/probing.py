"""Measure how fast a model in this process writes, by ten texts of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from grasp_bench.core.progress import Report
from grasp_bench.core.store import Store
from grasp_bench.plan.local_models import keep_probe, local_name, speed_in
from grasp_bench.plan.nodes import Node, service_of
from grasp_bench.services.local_provider import speed_of, writer_of
from grasp_bench.stages.quotation import Inquiry, sample_evenly
from grasp_bench.text.generated import prompt_requests
from grasp_bench.text.litellm_settings import LiteLLMText

TEXTS = 10


def probe(nodes: Iterable[Node], store: Store, ledger: Path, machine: str, report: Report) -> None:
    """Write texts of each node whose model runs in this process, and keep its speed in the store.

    The texts themselves are not kept. Raises what making prompts and loading the model raises.
    """
    with ExitStack() as opened:
        inquiry = Inquiry(store, ledger, report, opened)
        for node in nodes:
            name = local_name(node)
            if name is None:
                continue
            source = LiteLLMText.model_validate(service_of(node))
            entities, _ = sample_evenly(inquiry.entities(node, source), TEXTS)
            writer = writer_of(name)
            asked = [
                writer.ask(request.arguments["messages"], request.arguments)
                for request in prompt_requests(source, entities)
            ]
            for each in asked:
                each.result()
            if (speed := speed_in({"speed": speed_of(source.model)})) is not None:
                keep_probe(store, machine, node, speed)
