"""The part of a plan that speaks of paid services: what they would cost, and what they have cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grasp_bench.cli.output import note, say

if TYPE_CHECKING:
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import Plan
    from grasp_bench.plan.status import Status
    from grasp_bench.services.quotes import Quote


def show_money(plan: Plan, now: Status, store: Store) -> None:
    """Print a line for each node that asks a service, before and after."""
    from grasp_bench.engine.costs import quote_line, quotes_for, spend_line, spendings
    from grasp_bench.engine.preflight import absent_keys

    lines = [quote_line(quote) for quote in quotes_for(now.to_run, store, note)]
    lines += absent_keys(now.to_run)
    lines += [spend_line(spending) for spending in spendings(plan.nodes, store)]
    if lines:
        for line in ("", "Services", *lines):
            say(line)


def money_as_json(plan: Plan, now: Status, store: Store) -> dict[str, Any]:
    """The same for programs: `quotes` and `spent`; nothing where no service is asked."""
    from dataclasses import asdict

    from grasp_bench.engine.costs import quotes_for, spendings

    quotes = [_quote_as_json(quote) for quote in quotes_for(now.to_run, store, note)]
    spent = [asdict(spending) for spending in spendings(plan.nodes, store)]
    return {"quotes": quotes, "spent": spent} if quotes or spent else {}


def _quote_as_json(quote: Quote) -> dict[str, Any]:
    from dataclasses import asdict

    least, most = quote.dollars or (None, None)
    return {
        "label": quote.label, "hash": quote.payer, "model": quote.service.model,
        "least": asdict(quote.least), "most": asdict(quote.most), "answered": quote.answered,
        "exact": quote.exact, "dollars_at_least": least, "dollars_at_most": most, "stops": quote.stops(),
    }  # fmt: skip
