"""What a node would still ask of a service: requests, tokens and dollars, between bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from grasp_bench.services.budget import DOLLAR_SLACK, amount_spent
from grasp_bench.services.ledger import Spent
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.spec.service import Service


@dataclass(frozen=True)
class Usage:
    """So much work for a service."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Both ways."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Quote:
    """What is left to ask, of which node, and what that node has spent before.

    `least` has no output, `most` has every answer as long as it may be. `answered` requests are in the
    ledger and cost nothing more. `exact`: input tokens are the model's own count, of every request.
    `headroom` is what the budget reserves for one request beyond what it can take, in tokens.
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
        """At least and at most; None where the price is not known."""
        price = price_of(self.service)
        least = cost_of(price, self.least.input_tokens, self.least.output_tokens)
        most = cost_of(price, self.most.input_tokens, self.most.output_tokens)
        return None if least is None or most is None else (least, most)

    def stops(self) -> list[str]:
        """Which limits end the work before it is done, for certain or perhaps."""
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
