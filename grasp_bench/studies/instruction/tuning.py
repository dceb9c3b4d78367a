"""Tune low-rank adapters (LoRA) on a few yes-or-no examples, as TALLRec does (Bao et al., RecSys 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from grasp_bench.core import machine
from grasp_bench.services.local_files import EXTRA
from grasp_bench.studies.instruction.packed import Read, Reader

TARGETS = ["q_proj", "v_proj"]
RANK, ALPHA, DROPOUT = 8, 16, 0.05  # TALLRec's


@dataclass(frozen=True)
class Tuning:
    """Fixed before any test target is read; `rows` users a step."""

    epochs: int = 5
    lr: float = 2e-3
    rows: int = 2


@contextmanager
def adapted(reader: Reader, seed: int) -> Iterator[list[torch.nn.Parameter]]:
    """Lay fresh adapters over the tuned layers while the block lasts; yields what may be tuned.

    Raises MissingExtraError without peft.
    """
    peft = machine.require("peft", extra=EXTRA)
    torch.manual_seed(seed)
    layers = list(range(reader.first_tuned, reader.model.model.config.num_hidden_layers))
    config = peft.LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules=TARGETS, layers_to_transform=layers
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that peft still uses of transformers
        wrapped = peft.get_peft_model(reader.model.model, config)
    try:
        yield [each for each in wrapped.parameters() if each.requires_grad]
    finally:
        wrapped.unload()
        reader.model.model.eval()


def tune(
    reader: Reader, parameters: Sequence[torch.nn.Parameter], batches: Sequence[Read],
    positive_UC: Tensor, tuning: Tuning, seed: int,
) -> list[float]:  # fmt: skip
    """Tune by the cross-entropy of the answer's token on packed examples; return each epoch's mean loss."""
    optimizer = torch.optim.AdamW(parameters, lr=tuning.lr)
    draws = torch.Generator().manual_seed(seed)
    answers_UC = torch.where(positive_UC, reader.yes, reader.no)
    reader.model.model.train()
    losses = []
    for _ in range(tuning.epochs):
        total = torch.zeros(())
        for k in torch.randperm(len(batches), generator=draws).tolist():
            packed, below_BLd = batches[k]
            logits_BCV = reader.logits(below_BLd, packed)
            loss = F.cross_entropy(logits_BCV.flatten(0, 1), answers_UC[packed.users].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach() / len(batches)
        losses.append(float(total))
    reader.model.model.eval()
    return losses
