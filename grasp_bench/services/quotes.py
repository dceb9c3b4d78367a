"""Quote what a node will still send to a service: requests, tokens and dollars, as bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from grasp_bench.services.budget import DOLLAR_SLACK, amount_spent
from grasp_bench.services.ledger import Spent
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.spec.service import Service


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
