"""Whatever the order in which requests come, go and fail, no limit is exceeded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grasp_bench.core.errors import BudgetError
from grasp_bench.services.budget import Amount, Budget, Quote, SpendController, Usage
from grasp_bench.services.ledger import Answer, Ledger, Spent
from grasp_bench.services.ledger_writer import LedgerWriter
from grasp_bench.services.requests import ServiceRequest
from grasp_bench.spec.service import Price, Service

PRICE = Price(input_per_million=1.0, output_per_million=4.0)
LIMIT = 1000


def service(**limits: float) -> Service:
    return Service(model="openai/test", price=PRICE, **limits)


@given(
    steps=st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1), st.booleans()), max_size=80),
    spent=st.integers(0, 600),
)
def test_reservations_and_spending_stay_below_the_limit(
    steps: list[tuple[int, float, bool]], spent: int
) -> None:
    """Each step reserves, or settles the oldest reservation at a part of what it could have taken."""
    tokens = Budget(service(max_tokens_total=LIMIT), Spent(input_tokens=spent), PRICE)
    dollars = Budget(service(max_cost_usd=LIMIT / 1e6), Spent(cost_usd=spent / 1e6), PRICE)
    taken, out = spent, []
    for most, part, settles in steps:
        if settles and out:
            reserved = out.pop(0)
            real = int(part * reserved)
            taken += real
            for budget in (tokens, dollars):
                budget.settle(Amount(reserved, reserved / 1e6), Amount(real, real / 1e6))
        else:
            fits = taken + sum(out) + most <= LIMIT
            assert tokens.reserve(Amount(most, most / 1e6)) == fits
            assert dollars.reserve(Amount(most, most / 1e6)) == fits
            out += [most] if fits else []
        assert tokens.idle == (not out)


requests = st.tuples(
    st.integers(1, 150), st.integers(0, 150), st.floats(0, 1), st.integers(0, 3), st.sampled_from("kkkkrl")
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planned=st.lists(requests, min_size=1, max_size=25), slots=st.integers(1, 6))
def test_slots_that_share_a_ledger_stay_below_the_limit(
    tmp_path: Path, planned: list[tuple[int, int, float, int, str]], slots: int
) -> None:
    """`k` is kept, `r` refused and not billed, `l` lost and billed: the ledger's sum is never above."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite"
    billed, waiting = 0, list(enumerate(planned))

    async def slot(controller: SpendController) -> None:
        nonlocal billed
        while waiting:
            number, (most_in, most_out, part, pause, fate) = waiting.pop(0)
            request = ServiceRequest(
                (number.to_bytes(16, "big"),), {}, most_in, most_out, f"items '{number}'"
            )
            reserved = await controller.admit(request)
            for _ in range(pause):
                await asyncio.sleep(0)
            inward, outward = int(part * most_in), int(part * most_out)
            billed += inward + outward if fate != "r" else 0
            assert billed <= LIMIT
            if fate == "k":
                answer = Answer(b"", "stop", inward, outward, None)
                controller.settle(reserved, [answer])
                await controller.keep(reserved, [answer], None)
            elif fate == "r":
                controller.release(reserved)
            else:
                controller.lose(reserved)

    async def run(writer: LedgerWriter) -> list[BaseException | None]:
        controller = SpendController(service(max_tokens_total=LIMIT), "node", writer, Spent())
        return await asyncio.gather(*(slot(controller) for _ in range(slots)), return_exceptions=True)

    with LedgerWriter(path) as writer:
        results = asyncio.run(run(writer))
    assert {type(result) for result in results} <= {type(None), BudgetError}
    with Ledger(path) as ledger:
        spent = ledger.spent("node")
    assert billed <= spent.input_tokens + spent.output_tokens + spent.lost_tokens <= LIMIT


def test_an_unknown_price_is_refused_where_dollars_are_limited(tmp_path: Path) -> None:
    unknown = Service(model="openai/of-my-own", max_cost_usd=1.0)
    with (
        LedgerWriter(tmp_path / "l") as writer,
        pytest.raises(BudgetError, match="price of openai/of-my-own") as e,
    ):
        SpendController(unknown, "node", writer, Spent())
    assert "max_tokens_total" in str(e.value.hint)


def test_the_error_says_what_is_spent_and_what_is_kept() -> None:
    budget = Budget(service(max_cost_usd=5.0), Spent(cost_usd=4.98, lost_cost_usd=0.01), PRICE)
    assert not budget.reserve(Amount(100, 0.02))
    error = budget.error("users 'U1'", Amount(100, 0.02), 1234)
    for part in ("max_cost_usd", "4.99", "5.00", "users 'U1'", "1,234 answers are kept"):
        assert part in error.message
    assert "raise max_cost_usd" in str(error.hint)


@pytest.mark.parametrize(
    ("spent", "dollars"),
    [
        pytest.param(Spent(input_tokens=1000, output_tokens=1000, cost_usd=None), 0.005, id="unpriced"),
        pytest.param(Spent(lost_tokens=1000, lost_cost_usd=None), 0.004, id="lost-at-the-dearer"),
        pytest.param(Spent(input_tokens=1000, cost_usd=0.5, lost_cost_usd=0.25), 0.75, id="priced"),
    ],
)
def test_what_was_not_priced_then_has_todays_price(spent: Spent, dollars: float) -> None:
    """1 and 4 dollars a million: 1,000 tokens in and 1,000 out are 0.001 + 0.004 dollars."""
    budget = Budget(service(max_cost_usd=1.0), spent, PRICE)
    assert not budget.reserve(Amount(1, 1.0 - dollars + 1e-6))
    assert budget.reserve(Amount(1, 1.0 - dollars))


@given(
    spent=st.builds(
        Spent,
        input_tokens=st.integers(0, 800),
        output_tokens=st.integers(0, 200),
        cost_usd=st.none() | st.floats(0, 0.002),
        lost_tokens=st.integers(0, 300),
        lost_cost_usd=st.none() | st.floats(0, 0.002),
    ),
    left=st.integers(1, 500),
    limits=st.sampled_from([{"max_tokens_total": LIMIT}, {"max_cost_usd": LIMIT / 1e6}]),
)
def test_a_quote_says_beforehand_what_the_budget_does(
    spent: Spent, left: int, limits: dict[str, float]
) -> None:
    load = Usage(requests=1, input_tokens=left)
    quote = Quote("text items", "node", service(**limits), load, load, 0, True, 0, spent)
    fits = Budget(service(**limits), spent, PRICE).reserve(Amount(left, left / 1e6))
    assert fits == (not quote.stops())
