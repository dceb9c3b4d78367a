"""Reserve, count, limit and quote what a node may spend on a service; note each request in the ledger.

A request's upper bound is reserved before it is sent and replaced by its real cost afterwards. A worker's
answers and the write-ahead entry of its next request are one commit: an answer is on disk before the next
request leaves, an entry is on disk before its request leaves, and a kill can lose only requests in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from grasp_bench.core.errors import BudgetError
from grasp_bench.services.ledger import Answer, Spent
from grasp_bench.services.ledger_writer import LedgerWriter, Transaction, WriteAheadEntry
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.services.requests import ServiceRequest
from grasp_bench.spec.service import Price, Service

DOLLAR_SLACK = 1e-9  # float sums may be off by a billionth of a dollar


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens and dollars; dollars are 0 when the price is unknown (then no limit in dollars is set)."""

    tokens: int = 0
    dollars: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.dollars + other.dollars)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.dollars - other.dollars)


class Budget:
    """Counts the money of one payer over all runs: paid, perhaps lost, and reserved for requests in flight.

    paid + lost + reserved never exceeds a limit, in any order of calls, as long as no request takes
    more than its reservation.
    """

    def __init__(self, service: Service, spent: Spent, price: Price | None) -> None:
        self._most_dollars = service.max_cost_usd
        self._most_tokens = service.max_tokens_total
        self._spent = amount_spent(spent, price)
        self._reserved = Amount()
        self._reservations = 0

    def reserve(self, most: Amount) -> bool:
        """Reserve an amount; return False without reserving when a limit could be exceeded."""
        could_be = self._spent + self._reserved + most
        if self._most_tokens is not None and could_be.tokens > self._most_tokens:
            return False
        if self._most_dollars is not None and could_be.dollars > self._most_dollars + DOLLAR_SLACK:
            return False
        self._reserved += most
        self._reservations += 1
        return True

    def settle(self, most: Amount, real: Amount) -> None:
        """Replace a reservation by what the request took (nothing, if it was never sent)."""
        self._reservations -= 1
        self._reserved = Amount() if self.idle else self._reserved - most  # float sums drift
        self._spent += real

    @property
    def idle(self) -> bool:
        """True when nothing is reserved: what does not fit now will never fit."""
        return self._reservations == 0

    def error(self, about: str, most: Amount, kept: int) -> BudgetError:
        """Return the error for a request that does not fit: spent, limit, answers kept."""
        tokens = self._spent.tokens + most.tokens
        if self._most_tokens is not None and tokens > self._most_tokens:
            name, said = "max_tokens_total", f"{self._spent.tokens:,} of {self._most_tokens:,} tokens"
            next_one = f"{most.tokens:,} tokens"
        else:
            name, said = "max_cost_usd", f"{self._spent.dollars:.4f} of {self._most_dollars:.4f} USD"
            next_one = f"{most.dollars:.6f} USD"
        return BudgetError(
            f"{name}: {said} are spent, and the request for {about} could take {next_one}; "
            f"{kept:,} answers are kept",
            hint=f"raise {name} and run again: what is answered is kept and not paid again",
        )


def amount_spent(spent: Spent, price: Price | None) -> Amount:
    """Return what earlier runs spent: lost requests at upper bounds, unpriced ones at today's price."""
    paid = spent.cost_usd
    if paid is None:
        paid = cost_of(price, spent.input_tokens, spent.output_tokens)
    lost = spent.lost_cost_usd
    if lost is None:  # input or output tokens: assume the dearer
        lost = max(cost_of(price, spent.lost_tokens, 0) or 0.0, cost_of(price, 0, spent.lost_tokens) or 0.0)
    return Amount(spent.input_tokens + spent.output_tokens + spent.lost_tokens, (paid or 0.0) + lost)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request with its reserved amount and its write-ahead entry."""

    request: ServiceRequest
    most: Amount
    entry: WriteAheadEntry


class SpendController:
    """Keeps the budget of one payer and the ledger in step. Use it in one event loop.

    `spent` is what the payer's earlier runs spent. Raises BudgetError when dollars are limited and the
    price is unknown.
    """

    def __init__(self, service: Service, payer: str, writer: LedgerWriter, spent: Spent) -> None:
        self._price = price_of(service)
        if service.max_cost_usd is not None and self._price is None:
            raise BudgetError(
                f"max_cost_usd cannot be kept: the price of {service.model} is unknown",
                hint="set price: {input_per_million: …, output_per_million: …}, or limit max_tokens_total",
            )
        self._payer = payer
        self._writer = writer
        self._budget = Budget(service, spent, self._price)
        self._kept = spent.requests
        self._line = asyncio.Lock()  # its holder is the first in the queue for money
        self._settled = asyncio.Event()

    def reserve(self, request: ServiceRequest) -> Reservation | None:
        """Reserve the upper bound of a request without waiting; None when it does not fit."""
        most = self._most(request)
        if not self._budget.reserve(most):
            return None
        dollars = most.dollars if self._price is not None else None
        return Reservation(request, most, WriteAheadEntry(self._payer, request.keys[0], most.tokens, dollars))

    async def admit(self, request: ServiceRequest) -> Reservation:
        """Wait for requests in flight to make room, reserve, and commit the write-ahead entry.

        Raises BudgetError when the request does not fit and nothing is in flight.
        """
        async with self._line:
            while (reservation := self.reserve(request)) is None:
                if self._budget.idle:
                    raise self._budget.error(request.about, self._most(request), self._kept)
                self._settled.clear()
                await self._settled.wait()
        try:
            await self._writer.commit(Transaction(self._payer, opened=reservation.entry))
        except asyncio.CancelledError:
            self.release(reservation)
            raise
        return reservation

    def settle(self, reservation: Reservation, answers: Sequence[Answer]) -> None:
        """Count what the request took instead of its upper bound."""
        tokens = sum(answer.input_tokens + answer.output_tokens for answer in answers)
        self._count(reservation, Amount(tokens, sum(answer.cost_usd or 0.0 for answer in answers)))

    async def keep(
        self, reservation: Reservation, answers: Sequence[Answer], following: Reservation | None
    ) -> None:
        """Commit the answers together with the write-ahead entry of the worker's next request."""
        transaction = Transaction(
            self._payer,
            tuple(zip(reservation.request.keys, answers, strict=True)),
            reservation.entry,
            following.entry if following else None,
        )
        await self._writer.commit(transaction)
        self._kept += 1

    def release(self, reservation: Reservation) -> None:
        """Cancel the reservation and the entry of a request that was not sent or not billed."""
        self._writer.commit(Transaction(self._payer, closed=reservation.entry))
        self._count(reservation, Amount())

    def lose(self, reservation: Reservation) -> None:
        """Count a request that was perhaps billed at its upper bound; its entry stays."""
        self._count(reservation, reservation.most)

    def _most(self, request: ServiceRequest) -> Amount:
        cost = cost_of(self._price, request.most_input, request.most_output)
        return Amount(request.most_input + request.most_output, cost or 0.0)

    def _count(self, reservation: Reservation, real: Amount) -> None:
        self._budget.settle(reservation.most, real)
        self._settled.set()


@dataclass(frozen=True)
class Usage:
    """An amount of work for a service."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Quote:
    """The work left for one node, and what the node has spent before.

    `least` has no output, `most` has every answer at its maximum length. `answered` requests are in the
    ledger and cost nothing. `exact` means that every input was counted with the model's own tokenizer.
    `headroom` is the number of tokens that the budget reserves for one request beyond what it can use.
    """

    label: str
    payer: str
    service: Service
    least: Usage
    most: Usage
    answered: int
    exact: bool
    headroom: int
    spent: Spent = field(default_factory=Spent)

    @property
    def dollars(self) -> tuple[float, float] | None:
        """Lower and upper bound; None when the price is unknown."""
        price = price_of(self.service)
        least = cost_of(price, self.least.input_tokens, self.least.output_tokens)
        most = cost_of(price, self.most.input_tokens, self.most.output_tokens)
        return None if least is None or most is None else (least, most)

    def stops(self) -> list[str]:
        """Describe the limits that will or may stop the work before its end."""
        found: list[str] = []
        if not self.most.requests:
            return found
        price = price_of(self.service)
        before = amount_spent(self.spent, price)
        if (tokens := self.service.max_tokens_total) is not None:
            least = before.tokens + self.least.tokens
            most = before.tokens + self.most.tokens + self.headroom
            found += _stop(f"max_tokens_total {tokens:,}", least, most, tokens)
        if (dollars := self.service.max_cost_usd) is not None and self.dollars is not None:
            spare = cost_of(price, self.headroom, 0) or 0.0
            least_paid = before.dollars + self.dollars[0]
            most_paid = before.dollars + self.dollars[1] + spare
            found += _stop(f"max_cost_usd {dollars:g}", least_paid, most_paid, dollars + DOLLAR_SLACK)
        return found


def _stop(name: str, least: float, most: float, limit: float) -> list[str]:
    if most <= limit:
        return []
    return [f"{name} {'stops' if least > limit else 'may stop'} it before the end"]
