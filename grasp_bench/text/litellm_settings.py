"""Settings of the text provider `litellm`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.service import Service
from grasp_bench.spec.text import PromptSettings

MAX_TEMPERATURE = 2


class LiteLLMText(PromptSettings, Service):
    """Text written by a model that litellm reaches; every answer is kept and never paid for twice."""

    implementation = "grasp_bench.text.generated:LiteLLMProvider"

    provider: Literal["litellm"] = "litellm"
    system: str | None = Field(None, description="System message sent before the prompt.")
    max_tokens: int = Field(512, ge=1, description="Of one answer; a longer one counts as over-long.")
    temperature: float | None = Field(0.0, ge=0, le=MAX_TEMPERATURE, description="null sends none.")
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, description="Sent to the provider, where it knows the parameter.")
    echo: Literal["fallback"] | None = Field(
        None,
        description="fallback: an answer that repeats its prompt, or that would fit any entity, counts as "
        "none. By default it is kept, and counted.",
    )
    fallback: Literal["template", "drop", "fail"] = Field(
        "template",
        description="For answers that are empty, NA, refusals or over-long. template: the side's default "
        "template (`item`, `visited_items`), filled, in their place, for the prompt itself may be an "
        "instruction. drop: no text; the entity gets the mean vector of its side. fail: stop, when all are "
        "answered; the answers are kept.",
    )
