"""Settings of the text provider `template`."""

from __future__ import annotations

from typing import Literal

from grasp_bench.spec.text import PromptSettings


class TemplateText(PromptSettings):
    """A filled prompt template: the paper's own choice on its public datasets, at no LLM cost."""

    implementation = "grasp_bench.text.template_renderer:TemplateProvider"

    provider: Literal["template"] = "template"
