"""Describe what a run will spend and has spent on services, in lines for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grasp_bench.core import machine
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Store
from grasp_bench.plan.local_models import local_name
from grasp_bench.plan.nodes import Node, asks_service, service_of

if TYPE_CHECKING:
    from grasp_bench.services.budget import Quote
    from grasp_bench.services.ledger import Spent

SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class Spending:
    """What a node has spent in all runs; `reused` counts free answers, None until the node is finished."""

    label: str
    payer: str
    model: str
    spent: Spent
    reused: int | None


def quotes_for(nodes: Iterable[Node], store: Store, say: Callable[[str], None]) -> list[Quote]:
    """Return quotes for the nodes that ask services; `say` receives a line while prompts are counted."""
    paid = [node for node in nodes if asks_service(node)]
    if not paid:
        return []
    from grasp_bench.stages.quotation import quotes

    return quotes(paid, store, ledger_of(store), _CountingProgress(say))


def probe_models(nodes: Iterable[Node], store: Store, device: str, say: Callable[[str], None]) -> None:
    """Measure models in this process by ten texts of each node, for later estimates."""
    local = [node for node in nodes if local_name(node) is not None]
    if not local:
        say("nothing to probe: no text that is left to write is of a model in this process (local/…)")
        return
    from grasp_bench.stages.probing import probe

    say(f"probing {', '.join(node.label for node in local)}: ten texts of each")
    probe(local, store, ledger_of(store), machine.describe(device), _CountingProgress(say))


def spendings(nodes: Iterable[Node], store: Store) -> list[Spending]:
    """Return what the nodes have spent, for those that sent or reused requests."""
    paid = [node for node in nodes if asks_service(node)]
    found = [_spending(node, store, ledger_of(store)) for node in paid]
    return [each for each in found if each.spent.requests or each.spent.lost_requests or each.reused]


def _spending(node: Node, store: Store, path: Path) -> Spending:
    from grasp_bench.services.ledger import Ledger, Spent

    finished = store.has(node.stage, node.hash)
    facts = store.get(node.stage, node.hash).sidecar.get("facts", {}).get("spend", {}) if finished else {}
    spent = Spent()
    if path.is_file():  # opening a ledger creates it
        with Ledger(path) as ledger:
            spent = ledger.spent(node.hash)
    if not spent.requests and facts:  # made in another store
        names = ("input_tokens", "output_tokens", "cost_usd", "lost_requests")
        spent = Spent(requests=facts.get("sent", 0), **{name: facts[name] for name in names if name in facts})
    return Spending(node.label, node.hash, service_of(node)["model"], spent, facts.get("reused"))


def ledger_of(store: Store) -> Path:
    """Return the path of the store's ledger, shared by all nodes and specs."""
    return store.root / "requests.sqlite"


def quote_line(quote: Quote) -> str:
    """`text items: openai/gpt-4o-mini: 120 requests, 9,000 input tokens, … : $0.0014 to $0.0374`."""
    least, most = quote.least, quote.most
    bounded = least.input_tokens != most.input_tokens
    about = "at most about " if bounded else "" if quote.exact else "about "
    parts = [
        f"{'at most ' if bounded else ''}{_count(most.requests, 'request')}",
        f"{about}{most.input_tokens:,} input tokens",
    ]
    if most.output_tokens:
        parts.append(f"at most {most.output_tokens:,} output tokens")
    text = f"{quote.label}: {quote.service.model}: {', '.join(parts)}: {_range(quote.dollars)}"
    if quote.answered:
        text += f"; {_count(quote.answered, 'answer')} kept from before"
    return "; ".join([text, *quote.stops()])


def spend_line(spending: Spending) -> str:
    """`text items: openai/gpt-4o-mini: spent $0.0123 on 120 requests, 9,000 input and …`."""
    spent = spending.spent
    cost = "an unknown sum" if spent.cost_usd is None else _dollars(spent.cost_usd)
    tokens = f"{spent.input_tokens:,} input and {spent.output_tokens:,} output tokens"
    text = (
        f"{spending.label}: {spending.model}: spent {cost} on {_count(spent.requests, 'request')}, {tokens}"
    )
    if spending.reused:
        text += f"; {_count(spending.reused, 'answer')} reused"
    if spent.lost_requests:
        lost = _count(spent.lost_requests, "request")
        text += f"; {lost} lost and perhaps billed (at most {_dollars(spent.lost_cost_usd)})"
    return text


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _range(dollars: tuple[float, float] | None) -> str:
    if dollars is None:
        return _dollars(None)
    least, most = dollars
    return _dollars(most) if least == most else f"{_dollars(least)} to {_dollars(most)}"


def _dollars(sum_: float | None) -> str:
    if sum_ is None:
        return "unknown dollars"
    return f"${sum_:,.2f}" if sum_ >= 1 or not sum_ else f"${sum_:.4f}" if sum_ >= 0.01 else f"${sum_:.2g}"


class _CountingProgress:
    """Reports the count at most every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.done and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._say(f"{event.task}: {event.done:,} of {event.total:,} {event.unit}")
