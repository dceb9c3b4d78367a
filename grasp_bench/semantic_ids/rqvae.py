"""RQ-VAE: an autoencoder whose latent vector is quantised level by level.

Shape suffixes: B items of a step, D width of the vectors, E width of the latent, K codes of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from grasp_bench.semantic_ids.base import Items, Quantised
from grasp_bench.semantic_ids.kmeans import assign, kmeans
from grasp_bench.semantic_ids.settings import RQVAESettings

FIRST_ITERATIONS = 10  # of the k-means that codebooks start from


class ResidualCodebooks(nn.Module):
    """Codebooks (L, K, E) of residual quantisation with straight-through gradients.

    A level's loss is ‖sg(r) − e‖² + β ‖r − sg(e)‖², r the residual and e its nearest code (van den Oord
    et al., NeurIPS 2017, eq. 3), summed over dimensions and levels.
    """

    def __init__(self, levels: int, codebook_size: int, width: int, commitment: float) -> None:
        super().__init__()
        self.codebooks = nn.Parameter(torch.zeros(levels, codebook_size, width))
        self.commitment = commitment

    @torch.no_grad()
    def start(self, latent_mE: Tensor, generator: torch.Generator) -> None:
        """Set the codebooks to residual k-means of latent vectors."""
        left_mE = latent_mE
        for codebook_KE in self.codebooks:
            centres, nearest = kmeans(left_mE[None], len(codebook_KE), generator, FIRST_ITERATIONS)
            codebook_KE[: centres.shape[1]] = centres[0]
            left_mE = left_mE - centres[0, nearest[0]]

    def forward(self, latent_BE: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantised latents (B, E) that pass gradients on unchanged, codes (B, L), and the loss, a
        mean over items."""
        left_BE, codes, losses = latent_BE, [], []
        for codebook_KE in self.codebooks:
            nearest_B = assign(left_BE.detach()[None], codebook_KE.detach()[None])[0][0]
            code_BE = codebook_KE[nearest_B]
            losses.append(_squares(left_BE.detach() - code_BE))
            losses.append(self.commitment * _squares(left_BE - code_BE.detach()))
            left_BE = left_BE - code_BE.detach()
            codes.append(nearest_B)
        quantised_BE = latent_BE + (-left_BE).detach()
        return quantised_BE, torch.stack(codes, dim=1), torch.stack(losses).sum()

    @torch.no_grad()
    def revive(self, latent_mE: Tensor, generator: torch.Generator) -> int:
        """Move codes that no item uses to residuals drawn at random; return how many moved."""
        left_mE, moved = latent_mE, 0
        for codebook_KE in self.codebooks:
            nearest_m = assign(left_mE[None], codebook_KE[None])[0][0]
            dead = (torch.bincount(nearest_m, minlength=len(codebook_KE)) == 0).nonzero()[:, 0]
            drawn = torch.randint(len(left_mE), (len(dead),), generator=generator)
            codebook_KE[dead] = left_mE[drawn]
            moved += len(dead)
            left_mE = left_mE - codebook_KE[nearest_m]
        return moved


class RQVAE:
    """Lee et al., "Autoregressive Image Generation using Residual Quantization", CVPR 2022, on item vectors.

    The loss is the squared error plus that of the codebooks. Four things keep the codes from collapsing to
    one: columns are standardised first, the error is summed over dimensions, codebooks start from k-means of
    the first latents, and codes without items are revived after each epoch. Vectors within a narrow cone need
    the first even so: else little more than their mean is learnt.
    """

    def __init__(self, settings: RQVAESettings) -> None:
        self.settings = settings

    @classmethod
    def from_settings(cls, settings: RQVAESettings) -> Self:
        """Build the method."""
        return cls(settings)

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Train on all items, then code them."""
        settings, vectors_mD = self.settings, items.vectors()
        deviation_D, mean_D = torch.std_mean(vectors_mD, dim=0, correction=0)
        deviation_D = deviation_D.where(deviation_D > 0, 1.0)
        inputs_mD = (vectors_mD - mean_D) / deviation_D
        widths = (vectors_mD.shape[1], *settings.hidden, settings.latent_dim)
        encoder, decoder = _layers(widths, generator), _layers(widths[::-1], generator)
        books = ResidualCodebooks(
            settings.levels, settings.codebook_size, settings.latent_dim, settings.commitment
        )
        books.start(encoder(inputs_mD).detach(), generator)
        parameters = [p for module in (encoder, decoder, books) for p in module.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=settings.lr)
        for epoch in range(1, settings.epochs + 1):
            for rows_B in torch.randperm(len(items), generator=generator).split(settings.batch_size):
                quantised_BE, _, loss = books(encoder(inputs_mD[rows_B]))
                loss = loss + _squares(decoder(quantised_BE) - inputs_mD[rows_B])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch < settings.epochs:  # a code that moved last would be one that nothing was trained on
                books.revive(encoder(inputs_mD).detach(), generator)
            progress(epoch, settings.epochs)
        with torch.no_grad():
            latent_mE = encoder(inputs_mD)
            quantised_mE, codes_mL, _ = books(latent_mE)
            rebuilt_mD = decoder(quantised_mE) * deviation_D + mean_D
            last_KE = books.codebooks[-1]
            left_mE = latent_mE - quantised_mE + last_KE[codes_mL[:, -1]]
        return Quantised(codes_mL, rebuilt_mD, left_mE, last_KE.detach())


def _layers(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Build linear layers with ReLU between them, weights Xavier-normal."""
    parts: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layer = nn.Linear(inner, outer)
        nn.init.xavier_normal_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        parts += [layer, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def _squares(difference_BE: Tensor) -> Tensor:
    """Return the squared length, a mean over items."""
    return difference_BE.square().sum(1).mean()
