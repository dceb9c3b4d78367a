"""Ask a language model questions that are no texts of a study, through the ledger and budget of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DataError, ServiceError
from grasp_bench.services.dispatch import ServiceContext, dispatch
from grasp_bench.services.ledger import Ledger
from grasp_bench.services.local_files import weights_version
from grasp_bench.services.prices import price_of
from grasp_bench.spec.choices import Text
from grasp_bench.text.generated import chat_request
from grasp_bench.text.litellm_settings import LiteLLMText


def hidden_columns(text: Text) -> frozenset[str]:
    """Return the columns that a spec withholds from language models, on either side."""
    return frozenset(column for each in (text.items, text.users) for column in getattr(each, "redact", ()))


def asked_service(
    text: Text, model: str | None, max_tokens: int, max_cost_usd: float | None = None
) -> LiteLLMText:
    """Return the service to ask: the spec's text source of this model, with its address and price, or else
    the model; without a name, the spec's.

    Raises DataError where neither names a model, and for a limit in dollars that is none, or on a model of
    unknown price.
    """
    known = [each for each in (text.items, text.users) if isinstance(each, LiteLLMText)]
    model = model or next((each.model for each in known), None)
    if model is None:
        raise DataError("the spec names no language model", hint="name one, such as local/smollm2")
    if max_cost_usd is not None and max_cost_usd <= 0:
        raise DataError("--max-cost-usd: nothing can be asked for $0", hint="give a sum, or leave it out")
    own = next((each for each in known if each.model == model), LiteLLMText(model=model))
    changed = {"system": None, "max_tokens": max_tokens, "temperature": 0.0, "top_p": None, "seed": None}
    if max_cost_usd is not None:
        changed["max_cost_usd"] = max_cost_usd
    source = own.model_copy(update=changed)
    if source.max_cost_usd is not None and price_of(source) is None:
        raise DataError(
            f"--max-cost-usd cannot be kept: the price of '{model}' is not known",
            hint="ask the model of a spec's text source that has a price",
        )
    return source


def ask(
    prompts: Sequence[str],
    names: Sequence[str],
    service: LiteLLMText,
    ledger: Path,
    payer: str,
    report: Callable[[int], None] = lambda answered: None,
) -> tuple[list[str], dict[str, Any]]:
    """Return the answers in order of the prompts, and what the payer has spent.

    `names` say in errors what is asked. Equal prompts are asked once, and none that the ledger answers.
    Raises as `dispatch` does.
    """
    version = f"asked{weights_version(service.model)}"
    requests = [
        chat_request(service, prompt, version, name) for prompt, name in zip(prompts, names, strict=True)
    ]
    summary = dispatch("chat", requests, ServiceContext(ledger, payer, service, report))
    with Ledger(ledger) as opened:
        found = opened.find([request.keys[0] for request in requests])
    if None in found:
        raise ServiceError(f"{ledger}: an answer is gone from it", hint="run again")
    return [each.content.decode("utf-8", errors="replace") for each in found if each], summary.facts()
