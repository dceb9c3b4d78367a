"""Numbered questions for the test server, put through `dispatch`, here or in a process made to be killed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from llm_server.launch import Running

from grasp_bench.services.dispatch import ServiceContext, Summary, dispatch
from grasp_bench.services.ledger import Ledger
from grasp_bench.services.requests import ServiceRequest, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.spec.service import Price, Service

MAX_TOKENS = 30
PAYER = "node"
KEY = "sk-test-0123456789abcdef"
PRICE = Price(input_per_million=2.0, output_per_million=10.0)


def service_at(server: Running, **settings: Any) -> Service:
    """A small service, quick to give up, that answers at the server's address."""
    quick = {"concurrency": 8, "timeout_seconds": 5.0, "price": PRICE, **settings}
    return Service(model="openai/test", api_base=server.address, **quick)


def questions(service: Service, count: int) -> Iterator[ServiceRequest]:
    """`count` different questions, always the same ones."""
    for k in range(count):
        prompt = f"question {k}"
        arguments = {"messages": [{"role": "user", "content": prompt}], "max_tokens": MAX_TOKENS}
        key = request_key("chat", service, arguments)
        yield ServiceRequest((key,), arguments, most_tokens(prompt), MAX_TOKENS, f"items '{k}'")


def answer_all(ledger: Path, service: Service, count: int, environment: Mapping[str, str] = {}) -> Summary:
    """Have the questions answered into the ledger, the key in the environment."""
    os.environ.update({"OPENAI_API_KEY": KEY, **environment})
    return dispatch(
        "chat", questions(service, count), ServiceContext(ledger, PAYER, service, lambda answered: None)
    )


def answered(ledger: Path, service: Service, count: int) -> set[str]:
    """Keys (hex) of the questions whose answers the ledger keeps."""
    keys = [request.keys[0] for request in questions(service, count)]
    with Ledger(ledger) as opened:
        missing = opened.missing(keys)
    return {key.hex() for key, absent in zip(keys, missing, strict=True) if not absent}


def forkserver() -> ForkServerContext:
    """Processes forked from one that has imported litellm: to start and to kill one takes no time."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before anything imports litellm
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["litellm", "openai.resources", "pytest", "grasp_bench.services.dispatch"])
    return context


def answer_elsewhere(
    ledger: Path,
    service: Service,
    count: int,
    environment: Mapping[str, str] = {},
) -> Summary:
    """`answer_all` in a fresh process; raises what it raises there."""
    with ProcessPoolExecutor(1, mp_context=forkserver()) as pool:
        return pool.submit(answer_all, ledger, service, count, environment).result()
