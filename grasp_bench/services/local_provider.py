"""litellm's provider `local`: a model in this process, which answers the requests in flight together.

litellm calls it like any other provider, so that answers go through the same ledger, budget and verdicts. One
thread a model writes; `concurrency` bounds how many answers are written together.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from grasp_bench.spec.service import LOCAL

if TYPE_CHECKING:
    from grasp_bench.services.local_batches import Batch
    from grasp_bench.services.local_model import Written

PROVIDER = "local"
MOST_TOKENS = 512  # of an answer, where a request names no limit

# An answer, and the number of tokens of its prompt.
Answered = tuple["Written", int]
Asked = tuple[Sequence[Mapping[str, str]], Mapping[str, Any], "Future[Answered]"]


class Writer:
    """Loads a model, and continues conversations in a thread as they come."""

    def __init__(self, name: str) -> None:
        import torch

        from grasp_bench.services.local_batches import Batch
        from grasp_bench.services.local_model import LocalModel

        self._model = LocalModel(name, "cuda" if torch.cuda.is_available() else "cpu")
        self._batch = Batch(self._model)
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=f"{LOCAL}{name}", daemon=True).start()

    def ask(self, messages: Sequence[Mapping[str, str]], options: Mapping[str, Any]) -> Future[Answered]:
        """Let a conversation wait for its answer; a future that is cancelled is not continued."""
        future: Future[Answered] = Future()
        self._asked.put((messages, options, future))
        return future

    def speed(self) -> dict[str, float]:
        """Return seconds per token and mean tokens of texts since this was last asked; empty without one."""
        pace, self._batch.pace = self._batch.pace, type(self._batch.pace)()
        return pace.facts()

    def _work(self) -> None:
        batch: Batch = self._batch
        while True:
            while not batch.busy or not self._asked.empty():
                self._add(*self._asked.get())
            try:
                batch.step()
            except Exception as error:  # such as a lack of memory: the requests fail, the thread goes on
                batch.give_up(error)

    def _add(
        self, messages: Sequence[Mapping[str, str]], options: Mapping[str, Any], future: Future[Answered]
    ) -> None:
        from grasp_bench.services.local_model import Prompt, Written

        try:
            tokens = self._model.encode(messages)
            if len(tokens) >= self._model.longest:  # cut off before its first word
                future.set_result((Written("", "length", 0), len(tokens)))
                return
            prompt = Prompt(
                tokens,
                options.get("max_tokens") or MOST_TOKENS,
                options.get("temperature") or 0.0,
                1.0 if options.get("top_p") is None else options["top_p"],
                # Each request draws its own numbers, whichever others are written beside it.
                np.random.default_rng([options.get("seed") or 0, *tokens]).random,
                future.cancelled,
            )
        except Exception as error:
            future.set_exception(error)
            return
        self._batch.add(
            prompt, lambda written: future.set_result((written, len(tokens))), future.set_exception
        )


@cache
def writer_of(name: str) -> Writer:
    """Return the writer of a model, which this process keeps."""
    return Writer(name)


def speed_of(model: str) -> dict[str, float]:
    """Return how fast `local/<name>` has written since this was last asked; empty for other models."""
    return writer_of(model.removeprefix(LOCAL)).speed() if model.startswith(LOCAL) else {}


def register(litellm: Any, model: str) -> None:
    """Load `local/<name>` and let litellm call it.

    Raises MissingExtraError, MissingFileError and DataError for a model that cannot be loaded.
    """
    from litellm.llms.custom_llm import CustomLLM

    writer_of(model.removeprefix(LOCAL))

    class Local(CustomLLM):
        """Answers by `Writer`."""

        async def acompletion(  # type: ignore[override]  # litellm passes names
            self, model: str, messages: Any, **call: Any
        ) -> Any:
            """Write the answer to one request."""
            asked = writer_of(model).ask(messages, call["optional_params"])
            written, read = await asyncio.wrap_future(asked)
            response = call["model_response"]
            response.choices[0].message.content = written.text
            response.choices[0].finish_reason = written.finish
            response.usage = litellm.Usage(
                prompt_tokens=read, completion_tokens=written.tokens, total_tokens=read + written.tokens
            )
            return response

    litellm.custom_provider_map = [{"provider": PROVIDER, "custom_handler": Local()}]
