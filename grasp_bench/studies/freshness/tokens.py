"""Count the tokens of profiles that are made again at every interaction, or at some.

A filled template is counted as the prompt it would be, without an answer. For texts that a model wrote, the
mean length of its answers is added to each prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_train
from grasp_bench.data.profile_age import remade_at
from grasp_bench.data.splits import Offsets
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.plan.cells import Cell
from grasp_bench.services.tokens import TokenCounter, counter
from grasp_bench.spec.text import PromptSettings
from grasp_bench.stages.text import entities_of
from grasp_bench.stages.text_table import TABLE, read_texts
from grasp_bench.text.generated import messages_of
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.template_renderer import TemplateRenderer


@dataclass(frozen=True, eq=False)
class ProfileTokens:
    """Tokens of a profile of each interaction and all before it, (T,), in the order of training histories."""

    tokens: NDArray[np.int64]
    offsets: Offsets
    exact: bool

    def asked(self, stale: int) -> int:
        """All that is asked for when no profile may be older than `stale` interactions."""
        return int(self.tokens[remade_at(self.offsets, stale)].sum())


def profile_tokens(cell: Cell, store: Store) -> ProfileTokens:
    """Count the tokens of a profile at every training interaction of every user.

    StoreError when the cell's split is not there; DataError for prompts that cannot be made.
    """
    source = cell.experiment.text.users
    assert isinstance(source, PromptSettings)  # the spec refuses an age for other texts
    split = store.get("split", cell.nodes["split"].hash).path
    train, subjects = read_train(split), entities_of(split, "users", "prefix")
    counting = counter(source.model if isinstance(source, LiteLLMText) else LiteLLMEncoder().model)
    telling = TemplateRenderer(source, subjects)
    prompts = (telling[k] for k in range(train.num_users, len(telling)))
    asked = np.array([counting.count_chat(_contents(source, prompt)) for prompt in prompts], dtype=np.int64)
    return ProfileTokens(asked + _mean_answer(cell, store, counting), train.train_offsets, counting.exact)


def _contents(source: PromptSettings, prompt: str) -> list[str]:
    if isinstance(source, LiteLLMText):
        return [message["content"] for message in messages_of(source, prompt)]
    return [prompt]


def _mean_answer(cell: Cell, store: Store, counting: TokenCounter) -> int:
    """Mean tokens of the texts that a model has written for the cell; 0 for templates."""
    node = cell.nodes["user_text"]
    if not isinstance(cell.experiment.text.users, LiteLLMText) or not store.has(node.stage, node.hash):
        return 0
    lengths = [counting.count(text) for text in read_texts(store.get(node.stage, node.hash).file(TABLE))]
    return round(sum(lengths) / max(len(lengths), 1))
