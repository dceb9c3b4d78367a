"""The training loop: early stopping, resuming bit for bit after a real kill, and bad numbers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from patience import PATIENCE, until
from safetensors.torch import load_file

from grasp_bench.core.errors import TrainingError
from grasp_bench.core.progress import silent
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.training import loop
from grasp_bench.training.checkpoint import derive_seed
from grasp_bench.training.loop import CHECKPOINT, MODEL, Trainer
from grasp_bench.training.sequences import Sequences


def data() -> Sequences:
    g = torch.Generator().manual_seed(0)
    items = torch.randint(40, (60 * 6,), generator=g)
    return Sequences(items, torch.arange(0, 60 * 6 + 1, 6), 40)


def trainer(folder: Path, validate=lambda model, epoch: 0.5, seed: int = 42, **changes) -> Trainer:
    settings = Training(**{"batch_size": 16, "max_epochs": 8, "patience": 3, **changes})
    torch.manual_seed(derive_seed(seed, "initial weights"))
    model = Recommender.from_settings(Model(embedding_dim=8, max_len=6).effective(), 60, 40, None)
    return Trainer(model, data(), settings, seed, 6, validate, folder, silent)


def test_stops_after_patience_and_keeps_the_best_epoch(tmp_path):
    values = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.9])
    kept: list[dict[str, torch.Tensor]] = []

    def validate(model: Recommender, epoch: int) -> float:
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(values)

    progress = trainer(tmp_path, validate).fit()
    assert (progress.epoch, progress.best_epoch, progress.best_value) == (5, 2, 0.3)
    stored = load_file(tmp_path / MODEL)
    for name, value in kept[1].items():
        assert torch.equal(stored[name], value), name


def test_same_seed_same_bits_and_another_seed_others(tmp_path):
    runs = {}
    for name, seed in (("a", 42), ("b", 42), ("c", 43)):
        (tmp_path / name).mkdir()
        trainer(tmp_path / name, seed=seed).fit()
        runs[name] = load_file(tmp_path / name / MODEL)
    assert all(torch.equal(runs["a"][key], runs["b"][key]) for key in runs["a"])
    assert not all(torch.equal(runs["a"][key], runs["c"][key]) for key in runs["a"])


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "sparse_adam", "loss": "sampled_softmax"}, {"loss": "softmax"}]
)
def test_interrupted_between_epochs_it_ends_with_the_same_bits(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    rising, changes = [0.1 * k for k in range(1, 6)], {"max_epochs": 5, **changes}
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    values = iter(rising)
    trainer(tmp_path / "whole", lambda model, epoch: next(values), **changes).fit()

    calls = iter(rising)

    def stops_in_epoch_three(model: Recommender, epoch: int) -> float:
        value = next(calls)
        if value == rising[2]:
            raise KeyboardInterrupt
        return value

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "parts", stops_in_epoch_three, **changes).fit()
    assert (tmp_path / "parts" / CHECKPOINT).is_file()
    rest = iter(rising[2:])
    progress = trainer(tmp_path / "parts", lambda model, epoch: next(rest), **changes).fit()
    assert [entry["epoch"] for entry in progress.log] == list(range(1, 6))
    whole, parts = (load_file(tmp_path / name / MODEL) for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not (tmp_path / "parts" / CHECKPOINT).exists()


# Trains with a checkpoint after each epoch, and hangs in the third until it is killed.
SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
import test_loop
from grasp_bench.training import loop
loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
def validate(model, epoch):
    if epoch == 3:
        Path(sys.argv[1], "here").touch()
        time.sleep({patience})
    return test_loop.mean_weight(model, epoch)
test_loop.trainer(Path(sys.argv[1]), validate, max_epochs=5).fit()
"""


def mean_weight(model: Recommender, epoch: int) -> float:
    return float(model.enhancer.table.weight.detach().abs().mean())


def test_killed_by_the_system_it_ends_with_the_same_bits(tmp_path):
    (tmp_path / "whole").mkdir()
    trainer(tmp_path / "whole", mean_weight, max_epochs=5).fit()
    folder = tmp_path / "killed"
    folder.mkdir()
    here = Path(__file__).parent
    code = SCRIPT.format(paths=[str(here), str(here.parent)], patience=PATIENCE)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    until(lambda: (folder / "here").exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert (folder / CHECKPOINT).is_file()
    assert not (folder / MODEL).exists()
    trainer(folder, mean_weight, max_epochs=5).fit()
    whole, killed = (load_file(tmp_path / name / MODEL) for name in ("whole", "killed"))
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_a_damaged_checkpoint_is_no_reason_to_stop(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a file")
    assert trainer(tmp_path).fit().epoch == 4


def test_a_loss_that_is_not_finite_stops_with_the_epoch_named(tmp_path):
    broken = trainer(tmp_path)
    with torch.no_grad():
        broken.recommender.enhancer.table.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="epoch 1"):
        broken.fit()


def grasp_trainer(folder: Path, attention: str, backbone: str, **changes) -> Trainer:
    g = torch.Generator().manual_seed(1)
    knowledge = Knowledge(*(torch.randn(n, 6, generator=g) for n in (60, 60, 40, 40)))
    model = Model(
        backbone=backbone, enhancer="grasp", attention=attention, embedding_dim=8, max_len=6
    ).effective()
    found = trainer(folder, **changes)
    found.recommender = Recommender.from_settings(model, 60, 40, knowledge)
    return found


@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec", "bert4rec"])
@pytest.mark.parametrize(
    ("attention", "loss"),
    [("sigmoid", "bce"), ("sigmoid", "softmax"), ("softmax", "sampled_softmax"), ("none", "softmax")],
)
def test_mixed_precision_and_clipping_train_with_every_switch(tmp_path, attention, loss, backbone):
    changes = {"amp": True, "grad_clip": 1.0, "max_epochs": 2, "loss": loss}
    progress = grasp_trainer(tmp_path, attention, backbone, **changes).fit()
    assert progress.epoch == 2
    assert progress.log[1]["loss"] < progress.log[0]["loss"] * 1.1


def test_compiled_layers_train(tmp_path):
    progress = trainer(tmp_path, compile=True, max_epochs=2).fit()
    assert progress.epoch == 2
    assert torch.isfinite(load_file(tmp_path / MODEL)["enhancer.table.weight"]).all()
