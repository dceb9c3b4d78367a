"""Adapt a causal language model to attention both ways: masked next token prediction with LoRA.

The first step of LLM2Vec (BehnamGhader et al., arXiv 2404.05961, section 2.2): tokens are masked, and each is
predicted from the state of the token *before* it, where a causal model predicts it too. A model without a
mask token gets "_", as there. Of the chosen tokens 80 % are masked, 10 % replaced, 10 % left (as in BERT).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from grasp_bench.core.atomic import write_bytes, write_text
from grasp_bench.core.errors import DataError
from grasp_bench.core.machine import require
from grasp_bench.encoders.batching import Progress
from grasp_bench.encoders.causal_lm import DTYPES, Tokens, positions_of, two_way
from grasp_bench.encoders.causal_lm_settings import ADAPTER, Adaptation, CausalLM
from grasp_bench.encoders.packed import padded
from grasp_bench.encoders.precision import resolve_dtype, torch_threads
from grasp_bench.services.local_files import EXTRA
from grasp_bench.services.local_model import load_causal_lm
from grasp_bench.spec.service import LOCAL

CHECKPOINT = "checkpoint.safetensors"
STEPS_BETWEEN_CHECKPOINTS = 10
MASKED, REPLACED = 0.8, 0.1  # of the tokens that are predicted; the others stay
LARGEST_GRADIENT = 1.0  # norm
SCALE = 2  # lora_alpha by rank, as in LLM2Vec


@dataclass
class Masked:
    """A batch: ids (B, L) with masked tokens, their mask of real tokens, and which (B, L) are predicted."""

    ids_BL: Tensor
    real_BL: Tensor
    predicted_BL: Tensor
    targets_P: Tensor


def masked_batch(tokens: Sequence[list[int]], how: Adaptation, step: int, mask: int, words: int) -> Masked:
    """Draw the texts of a step and mask them; the draw depends on seed and step alone.

    Texts come in random order, up to `how.batch_tokens` with padding. Begins are not predicted.
    """
    rng = np.random.default_rng([how.seed, step])
    order = rng.permutation(len(tokens))
    widest = np.maximum.accumulate([len(tokens[k]) for k in order])
    fitting = int(np.searchsorted(widest * np.arange(1, len(order) + 1), how.batch_tokens, side="right"))
    chosen = [tokens[k] for k in order[: max(1, fitting)]]
    ids_BL, real_BL = padded(chosen, mask, "cpu")
    draws_BL, kinds_BL = (torch.from_numpy(rng.random(ids_BL.shape)) for _ in range(2))
    draws_BL = draws_BL.masked_fill(~real_BL, 2.0)
    draws_BL[:, 0] = 2.0
    predicted_BL = draws_BL < max(how.mask_share, float(draws_BL.min()) + 1e-9)  # at least one
    targets_P = ids_BL[predicted_BL]
    others_BL = torch.from_numpy(rng.integers(0, words, ids_BL.shape))
    ids_BL = torch.where(predicted_BL & (kinds_BL < MASKED + REPLACED), others_BL, ids_BL)
    ids_BL = torch.where(predicted_BL & (kinds_BL < MASKED), mask, ids_BL)
    return Masked(ids_BL, real_BL, predicted_BL, targets_P)


@dataclass
class Training:
    """A model with LoRA weights in training, and the loss of each step so far."""

    network: Any
    head: Any
    trained: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)

    def step(self, batch: Masked, lr: float) -> None:
        """Learn from a batch."""
        device = self.trained[0].device
        real_BL = batch.real_BL.to(device)
        states_BLD = self.network(
            input_ids=batch.ids_BL.to(device), attention_mask=two_way(real_BL, self.network.dtype),
            use_cache=False,
        ).last_hidden_state  # fmt: skip
        before_PD = states_BLD[:, :-1][batch.predicted_BL[:, 1:].to(device)]
        logits_PV = self.head(before_PD).float()
        loss = nn.functional.cross_entropy(logits_PV, batch.targets_P.to(device))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, LARGEST_GRADIENT)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.losses.append(float(loss.detach()))

    def save(self, path: Path) -> None:
        """Write all that the next step depends on; draws follow from the seed."""
        tensors = {f"{number}/weights": weights.detach() for number, weights in enumerate(self.trained)}
        for number, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{number}/{slot}": torch.as_tensor(value) for slot, value in slots.items()}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        write_bytes(path, save(tensors, {"losses": json.dumps(self.losses)}))

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint; do nothing without one that can be read."""
        try:
            with safe_open(path, framework="pt") as stored:
                losses = json.loads(stored.metadata()["losses"])
                found = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
        except (OSError, SafetensorError):
            return
        state = self.optimizer.state_dict()
        for name, tensor in found.items():
            number, _, slot = name.partition("/")
            if slot == "weights":
                self.trained[int(number)].data.copy_(tensor)
            else:
                state["state"].setdefault(int(number), {})[slot] = tensor
        self.optimizer.load_state_dict(state)
        self.losses = losses


def train_adapter(
    section: CausalLM, texts: Sequence[str], out: Path, device: str, threads: int, progress: Progress
) -> dict[str, Any]:
    """Train on the distinct texts and write peft's files of LoRA weights into `out`; return facts.

    Goes on from `checkpoint.safetensors` in `out`, with the weights of a training that was not interrupted.
    Raises MissingExtraError without peft, DataError for texts without tokens, and as `load_causal_lm`.
    """
    how, peft = section.adapt, require("peft", extra=EXTRA)
    assert how is not None
    dtype = resolve_dtype(section.dtype, device)
    tokenizer, model = load_causal_lm(section.model.removeprefix(LOCAL), DTYPES[dtype])
    config = model.config.get_text_config()
    cut = Tokens(tokenizer, min(section.max_tokens, positions_of(config)))
    tokens = [ids for ids in cut(sorted(set(texts))) if len(ids) > 1]
    if not tokens:
        raise DataError("encoder.adapt: no text has a token to learn from")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        lora = peft.LoraConfig(r=how.lora_rank, lora_alpha=SCALE * how.lora_rank, target_modules="all-linear")
        adapted = peft.get_peft_model(model, lora).to(device)
    trained = [each for each in adapted.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=how.lr, weight_decay=0.0)
    training = Training(model.base_model, model.get_output_embeddings(), trained, optimizer)
    training.resume(out / CHECKPOINT)
    mask = tokenizer.mask_token_id
    mask = tokenizer.convert_tokens_to_ids("_") if mask is None else mask
    with torch_threads(threads):
        for step in range(len(training.losses), how.steps):
            batch = masked_batch(tokens, how, step, mask, config.vocab_size)
            training.step(batch, how.lr * (1 - step / how.steps))
            progress(step + 1)
            if (step + 1) % STEPS_BETWEEN_CHECKPOINTS == 0:
                training.save(out / CHECKPOINT)
    lora.base_model_name_or_path = section.model
    lora.save_pretrained(out)
    weights = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
    write_bytes(out / ADAPTER, save({name: each.cpu().contiguous() for name, each in weights.items()}))
    (out / CHECKPOINT).unlink(missing_ok=True)
    lines = (json.dumps({"step": step + 1, "loss": loss}) for step, loss in enumerate(training.losses))
    write_text(out / "log.jsonl", "\n".join(lines) + "\n")
    tenth = max(1, how.steps // 10)
    return {
        "texts": len(tokens),
        "parameters": sum(each.numel() for each in trained),
        "loss_of_first_tenth": round(float(np.mean(training.losses[:tenth])), 4),
        "loss_of_last_tenth": round(float(np.mean(training.losses[-tenth:])), 4),
        "dtype": dtype,
        "peft": peft.__version__,
    }
