"""What may still be spent: reserved at its upper bound before a request, replaced by what it took after."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.core.errors import BudgetError
from grasp_bench.services.ledger import Spent
from grasp_bench.services.prices import cost_of
from grasp_bench.spec.service import Price, Service

DOLLAR_SLACK = 1e-9  # sums of floats: a billionth of a dollar is no overshoot


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens and dollars; dollars are 0 where no price is known (no limit in dollars is set then)."""

    tokens: int
    dollars: float


class Budget:
    """Counts one payer's money in all runs: paid, perhaps lost, and reserved for what is in flight.

    paid + lost + reserved never exceeds a limit, whatever the order of calls, as long as no request
    takes more than was reserved for it.
    """

    def __init__(self, service: Service, spent: Spent, price: Price | None) -> None:
        self._most_dollars = service.max_cost_usd
        self._most_tokens = service.max_tokens_total
        self._gone = gone(spent, price)
        self._reserved = Amount(0, 0.0)
        self._reservations = 0

    def reserve(self, most: Amount) -> bool:
        """Set so much aside; False, and nothing is, when a limit could be exceeded."""
        tokens = self._gone.tokens + self._reserved.tokens + most.tokens
        dollars = self._gone.dollars + self._reserved.dollars + most.dollars
        if self._most_tokens is not None and tokens > self._most_tokens:
            return False
        if self._most_dollars is not None and dollars > self._most_dollars + DOLLAR_SLACK:
            return False
        self._reserved = Amount(self._reserved.tokens + most.tokens, self._reserved.dollars + most.dollars)
        self._reservations += 1
        return True

    def settle(self, most: Amount, real: Amount) -> None:
        """Give a reservation back and count what the request took (nothing, when it was never sent)."""
        self._reservations -= 1
        self._reserved = Amount(self._reserved.tokens - most.tokens, self._reserved.dollars - most.dollars)
        if self.idle:
            self._reserved = Amount(0, 0.0)  # sums of floats drift
        self._gone = Amount(self._gone.tokens + real.tokens, self._gone.dollars + real.dollars)

    @property
    def idle(self) -> bool:
        """Nothing is reserved: what does not fit now will never fit."""
        return self._reservations == 0

    def error(self, about: str, most: Amount, kept: int) -> BudgetError:
        """What to raise when a request does not fit: spent, limit, how many answers are kept."""
        tokens = self._gone.tokens + most.tokens
        if self._most_tokens is not None and tokens > self._most_tokens:
            name, said = "max_tokens_total", f"{self._gone.tokens:,} of {self._most_tokens:,} tokens"
            next_one = f"{most.tokens:,} tokens"
        else:
            name, said = "max_cost_usd", f"{self._gone.dollars:.4f} of {self._most_dollars:.4f} USD"
            next_one = f"{most.dollars:.6f} USD"
        return BudgetError(
            f"{name}: {said} are spent, and the request for {about} could take {next_one}; "
            f"{kept:,} answers are kept",
            mend=f"raise {name} and run again: what is answered is kept and not paid again",
        )


def gone(spent: Spent, price: Price | None) -> Amount:
    """What earlier runs took, the lost at its upper bounds; what was not priced then has today's price."""
    paid = spent.cost_usd
    if paid is None:
        paid = cost_of(price, spent.input_tokens, spent.output_tokens)
    lost = spent.lost_cost_usd
    if lost is None:  # input or output, nobody knows: the dearer of the two
        lost = max(cost_of(price, spent.lost_tokens, 0) or 0.0, cost_of(price, 0, spent.lost_tokens) or 0.0)
    return Amount(spent.input_tokens + spent.output_tokens + spent.lost_tokens, (paid or 0.0) + lost)
