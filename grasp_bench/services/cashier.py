"""Money and its traces: a reservation in memory and an intention on disk for each request, then its answers.

A slot's answers and the intention of its next request are one commit. So an answer is on disk before the
next request leaves, an intention is on disk before its request does, no request waits for a disk of its
own, and what a kill can lose is what is in flight and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from grasp_bench.core.errors import BudgetError
from grasp_bench.services.asking import Ask
from grasp_bench.services.budget import Amount, Budget
from grasp_bench.services.journal import Entry, Intention, Journal
from grasp_bench.services.ledger import Answer, Spent
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.spec.service import Service


@dataclass(frozen=True, slots=True)
class Reserved:
    """A request that the budget has room for, at most so much."""

    ask: Ask
    most: Amount
    intention: Intention


class Cashier:
    """Keeps one payer's budget and journal in step. Use it in one event loop.

    `spent` is what the payer's earlier runs took. Raises BudgetError where dollars are limited and the
    price is not known.
    """

    def __init__(self, service: Service, payer: str, journal: Journal, spent: Spent) -> None:
        self._price = price_of(service)
        if service.max_cost_usd is not None and self._price is None:
            raise BudgetError(
                f"max_cost_usd cannot be kept: nobody knows the price of {service.model}",
                mend="set price: {input_per_million: …, output_per_million: …}, or limit max_tokens_total",
            )
        self._payer = payer
        self._journal = journal
        self._budget = Budget(service, spent, self._price)
        self._kept = spent.requests
        self._line = asyncio.Lock()  # whoever holds it is the first to wait for money
        self._settled = asyncio.Event()

    def reserve(self, ask: Ask) -> Reserved | None:
        """Set the most that a request may take aside, now; None when that does not fit."""
        most = self._most(ask)
        if not self._budget.reserve(most):
            return None
        dollars = most.dollars if self._price is not None else None
        return Reserved(ask, most, Intention(self._payer, ask.keys[0], most.tokens, dollars))

    async def admit(self, ask: Ask) -> Reserved:
        """Reserve, once requests in flight have made room, and note the intention.

        Raises BudgetError when nothing is in flight and it still does not fit.
        """
        async with self._line:
            while (reserved := self.reserve(ask)) is None:
                if self._budget.idle:
                    raise self._budget.error(ask.about, self._most(ask), self._kept)
                self._settled.clear()
                await self._settled.wait()
        try:
            await self._journal.commit(Entry(self._payer, intended=reserved.intention))
        except asyncio.CancelledError:
            self.release(reserved)
            raise
        return reserved

    def settle(self, reserved: Reserved, answers: Sequence[Answer]) -> None:
        """Count what the request took instead of what it could have taken."""
        tokens = sum(answer.input_tokens + answer.output_tokens for answer in answers)
        self._count(reserved, Amount(tokens, sum(answer.cost_usd or 0.0 for answer in answers)))

    async def keep(self, reserved: Reserved, answers: Sequence[Answer], following: Reserved | None) -> None:
        """Put the answers on disk, and with them the intention of what the slot will send next."""
        entry = Entry(
            self._payer,
            tuple(zip(reserved.ask.keys, answers, strict=True)),
            reserved.intention,
            following.intention if following else None,
        )
        await self._journal.commit(entry)
        self._kept += 1

    def release(self, reserved: Reserved) -> None:
        """It was not sent, or not billed: take reservation and intention back."""
        self._journal.commit(Entry(self._payer, settled=reserved.intention))
        self._count(reserved, Amount(0, 0.0))

    def lose(self, reserved: Reserved) -> None:
        """It was sent, and nobody knows whether it was billed: count the most, leave the intention."""
        self._count(reserved, reserved.most)

    def _most(self, ask: Ask) -> Amount:
        cost = cost_of(self._price, ask.most_input, ask.most_output)
        return Amount(ask.most_input + ask.most_output, cost or 0.0)

    def _count(self, reserved: Reserved, real: Amount) -> None:
        self._budget.settle(reserved.most, real)
        self._settled.set()
