"""Ask a language model questions that are no texts of a study, through the ledger and budget of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import ServiceError
from grasp_bench.services.dispatch import ServiceContext, dispatch
from grasp_bench.services.ledger import Ledger
from grasp_bench.services.local_files import weights_version
from grasp_bench.text.generated import chat_request
from grasp_bench.text.litellm_settings import LiteLLMText


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
