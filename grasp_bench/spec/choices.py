"""`encoder:` and `text:` — unions of the registered settings, discriminated by `kind` and `provider`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, field_validator

from grasp_bench.components import ENCODERS, TEXT_PROVIDERS
from grasp_bench.core.registry import Components
from grasp_bench.spec.encoder import EncoderSettings
from grasp_bench.spec.section import Section
from grasp_bench.spec.section_fields import replace_types
from grasp_bench.spec.text import TextSettings


def any_of(registry: Components[Any]) -> Any:
    """Return the union of a kind's settings."""
    return Union[tuple(registry.get(name) for name in registry)]  # noqa: UP007 - made of a list


if TYPE_CHECKING:
    EncoderSource = EncoderSettings
    TextSource = TextSettings
else:
    EncoderSource = Annotated[any_of(ENCODERS), Field(discriminator="kind")]
    TextSource = Annotated[any_of(TEXT_PROVIDERS), Field(discriminator="provider")]


class Text(Section):
    """Text sources of users and items."""

    users: TextSource = TEXT_PROVIDERS.get(TEXT_PROVIDERS.default)()
    items: TextSource = TEXT_PROVIDERS.get(TEXT_PROVIDERS.default)()

    @field_validator("items")
    @classmethod
    def _items_have_no_history(cls, source: TextSource) -> TextSource:
        if source.scope != "train":
            raise ValueError("texts of items are made from no history: leave scope out")
        if source.stale:
            raise ValueError("texts of items are made from no history: leave stale out")
        return source


def follow_registries() -> None:
    """Take up the text providers that are registered now."""
    replace_types(Text, dict.fromkeys(("users", "items"), any_of(TEXT_PROVIDERS)))


def encoder_of(values: Mapping[str, Any]) -> EncoderSource:
    """Read the settings of an encoder, a plugin's too."""
    return ENCODERS.get(values["kind"]).model_validate(values)


def text_source_of(values: Mapping[str, Any]) -> TextSource:
    """Read the settings of a text provider, a plugin's too."""
    return TEXT_PROVIDERS.get(values["provider"]).model_validate(values)
