"""`encoder:` and `text:` — unions of the registered settings, discriminated by `kind` and `provider`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field, field_validator

from grasp_bench.components import ENCODERS, TEXT_PROVIDERS
from grasp_bench.spec.encoder import EncoderSettings
from grasp_bench.spec.section import Section
from grasp_bench.spec.text import TextSettings

if TYPE_CHECKING:
    EncoderSource = EncoderSettings
    TextSource = TextSettings
else:
    EncoderSource = Annotated[
        Union[tuple(ENCODERS.get(name) for name in ENCODERS)],  # noqa: UP007 - made of a list
        Field(discriminator="kind"),
    ]
    TextSource = Annotated[
        Union[tuple(TEXT_PROVIDERS.get(name) for name in TEXT_PROVIDERS)],  # noqa: UP007 - made of a list
        Field(discriminator="provider"),
    ]


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
