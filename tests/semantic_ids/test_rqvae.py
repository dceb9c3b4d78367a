"""RQ-VAE: gradients, losses against a plain transcription, dead codes, and that it does not collapse."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grasp_bench.semantic_ids.base import Items, Quantised
from grasp_bench.semantic_ids.card import fidelity, perplexity
from grasp_bench.semantic_ids.rqvae import RQVAE, ResidualCodebooks
from grasp_bench.semantic_ids.settings import RQVAESettings

LEVELS, CODES, WIDTH, BATCH = 3, 6, 5, 40


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=draws(seed))


def codebooks(commitment: float = 0.25) -> ResidualCodebooks:
    made = ResidualCodebooks(LEVELS, CODES, WIDTH, commitment)
    made.codebooks.data = random(LEVELS, CODES, WIDTH, seed=1)
    return made


def test_gradients_pass_as_through_the_identity() -> None:
    latent, weights = random(BATCH, WIDTH).requires_grad_(), random(BATCH, WIDTH, seed=2)
    quantised, codes, _ = codebooks()(latent)
    (quantised.sin() * weights).sum().backward()
    # d/dx of f(identity(x)), taken at the quantised value.
    torch.testing.assert_close(latent.grad, weights * quantised.detach().cos())
    expected = sum(codebooks().codebooks[level, codes[:, level]] for level in range(LEVELS))
    torch.testing.assert_close(quantised, expected)


def test_what_is_decoded_moves_no_code() -> None:
    books = codebooks()
    quantised, _, _ = books(random(BATCH, WIDTH).requires_grad_())
    quantised.square().sum().backward()
    assert books.codebooks.grad is None or not books.codebooks.grad.any()


@pytest.mark.parametrize("commitment", [0.0, 0.25, 1.5])
def test_losses_and_gradients_are_those_of_equation_3(commitment: float) -> None:
    """Per level ‖sg(r) − e‖² + β ‖r − sg(e)‖², summed over dimensions and levels, a mean over items."""
    books, latent = codebooks(commitment), random(BATCH, WIDTH).requires_grad_()
    _, codes, loss = books(latent)
    loss.backward()
    value, to_latent = 0.0, torch.zeros(BATCH, WIDTH)
    to_codes = torch.zeros(LEVELS, CODES, WIDTH)
    for item in range(BATCH):
        left = latent.detach()[item].clone()
        for level in range(LEVELS):
            book = books.codebooks.detach()[level]
            code = min(range(CODES), key=lambda k: float((left - book[k]).square().sum()))
            assert code == codes[item, level]
            squares = float((left - book[code]).square().sum())
            value += (1 + commitment) * squares / BATCH
            to_codes[level, code] += 2 * (book[code] - left) / BATCH
            # Residuals of later levels are the latent less constants, so each pulls at it alike.
            to_latent[item] += commitment * 2 * (left - book[code]) / BATCH
            left = left - book[code]
    assert float(loss.detach()) == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(books.codebooks.grad, to_codes, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(latent.grad, to_latent, atol=1e-6, rtol=1e-4)


def test_codebooks_start_where_latents_are() -> None:
    latent = torch.cat([random(30, WIDTH, seed=level) * 0.1 + 3 * level for level in range(CODES)])
    books = ResidualCodebooks(LEVELS, CODES, WIDTH, 0.25)
    books.start(latent, draws())
    quantised, codes, _ = books(latent)
    assert sorted(codes[::30, 0].tolist()) == list(range(CODES))
    assert (latent - quantised).square().sum() < 0.01 * (latent - latent.mean(0)).square().sum()


def test_dead_codes_come_back_as_residuals() -> None:
    books, latent = codebooks(), random(BATCH, WIDTH)
    with torch.no_grad():
        books.codebooks[0, 2:] = 1e3  # nothing is near
        books.codebooks[2, 1] = 1e3
    before = books.codebooks.detach().clone()
    _, codes, _ = books(latent)
    dead = [sorted(set(range(CODES)) - set(codes[:, level].tolist())) for level in range(LEVELS)]
    assert dead[0] == [2, 3, 4, 5]
    assert 1 in dead[2]
    assert books.revive(latent, draws()) == sum(map(len, dead))
    left = latent
    for level in range(LEVELS):
        for code in range(CODES):
            now = books.codebooks.detach()[level, code]
            if code in dead[level]:
                assert (left == now).all(1).any()
            else:
                assert torch.equal(now, before[level, code])
        left = left - before[level, codes[:, level]]
    assert books(latent)[1][:, 0].unique().numel() > 2


def unit_vectors(items: int = 400, width: int = 16) -> Tensor:
    """Unit vectors in a narrow cone: columns hardly vary, and most of each vector is the mean of all."""
    latent = random(items, 4) @ random(4, width, seed=1)
    return F.normalize(3 * F.normalize(random(1, width, seed=2)) + 0.01 * latent, dim=1)


@pytest.fixture(scope="module")
def trained() -> tuple[Tensor, Quantised, list[tuple[int, int]]]:
    vectors, seen = unit_vectors(), []
    settings = RQVAESettings(
        levels=3, codebook_size=16, hidden=(32,), latent_dim=8, epochs=120, batch_size=100
    )
    items = Items([str(k) for k in range(len(vectors))], vectors)
    found = RQVAE(settings).quantise(items, draws(), lambda done, of: seen.append((done, of)))
    return vectors, found, seen


def test_unit_vectors_do_not_collapse(trained: tuple[Tensor, Quantised, list[tuple[int, int]]]) -> None:
    _, found, seen = trained
    assert all(perplexity(level) > 8 for level in found.codes_mL.T)
    assert len(found.codes_mL.unique(dim=0)) > 200
    assert seen[-1] == (120, 120)


def test_what_is_rebuilt_is_better_than_the_mean_and_keeps_neighbours(
    trained: tuple[Tensor, Quantised, list[tuple[int, int]]],
) -> None:
    vectors, found, _ = trained
    assert found.rebuilt_mD is not None
    said = fidelity(vectors, found.rebuilt_mD, draws())
    assert said["reconstruction_error"] < 0.15  # that of the mean is 1
    assert said["neighbours_kept"] > 10 / 399 * 5  # five times what chance keeps


def test_what_is_left_is_the_residual_of_the_last_level(
    trained: tuple[Tensor, Quantised, list[tuple[int, int]]],
) -> None:
    _, found, _ = trained
    assert found.left_mE is not None
    assert found.last_KE is not None
    away = torch.cdist(found.left_mE, found.last_KE)
    assert torch.equal(away.argmin(1), found.codes_mL[:, -1])


def test_a_constant_column_is_rebuilt(trained: tuple[Tensor, Quantised, list[tuple[int, int]]]) -> None:
    vectors = trained[0].clone()
    vectors[:, 3] = 0.5
    settings = RQVAESettings(levels=2, codebook_size=8, hidden=(), latent_dim=4, epochs=3)
    found = RQVAE(settings).quantise(Items(["?"] * len(vectors), vectors), draws(), lambda *_: None)
    assert found.rebuilt_mD is not None
    assert found.rebuilt_mD.isfinite().all()


def test_a_single_step_reads_no_generator_but_its_own() -> None:
    settings = RQVAESettings(levels=2, codebook_size=4, hidden=(8,), latent_dim=4, epochs=2)
    items = Items(["?"] * 30, random(30, 6))
    codes = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        codes.append(RQVAE(settings).quantise(items, draws(), lambda *_: None).codes_mL)
    assert torch.equal(*codes)
