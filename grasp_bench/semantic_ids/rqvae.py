"""RQ-VAE: an autoencoder whose latent vector is quantised level by level.

Shape suffixes: B items of a step, D width of the vectors, E width of the latent, K codes of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from grasp_bench.semantic_ids.base import Items, Quantised, Quantiser
from grasp_bench.semantic_ids.kmeans import assign, kmeans
from grasp_bench.semantic_ids.settings import AutoencoderSettings, RQVAESettings

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

    def forward(self, latent_BE: Tensor, weights_BL: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantised latents (B, E) that pass gradients on unchanged, codes (B, L), and the loss, a
        mean over items.

        With weights the quantised latent is the weighted sum of its codes, and the weights get gradients.
        """
        left_BE, codes, losses, vectors = latent_BE, [], [], []
        for codebook_KE in self.codebooks:
            nearest_B = assign(left_BE.detach()[None], codebook_KE.detach()[None])[0][0]
            code_BE = codebook_KE[nearest_B]
            losses.append(squares(left_BE.detach() - code_BE))
            losses.append(self.commitment * squares(left_BE - code_BE.detach()))
            left_BE = left_BE - code_BE.detach()
            codes.append(nearest_B)
            vectors.append(code_BE.detach())
        if weights_BL is None:
            quantised_BE = latent_BE + (-left_BE).detach()
        else:
            summed_BE = (weights_BL[:, :, None] * torch.stack(vectors, dim=1)).sum(1)
            quantised_BE = summed_BE + (latent_BE - latent_BE.detach())
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


class RQVAE(Quantiser[RQVAESettings]):
    """Lee et al., "Autoregressive Image Generation using Residual Quantization", CVPR 2022, on item vectors.

    The loss is the squared error plus that of the codebooks. Four things keep the codes from collapsing to
    one: columns are standardised first, the error is summed over dimensions, codebooks start from k-means of
    the first latents, and codes without items are revived after each epoch. Vectors within a narrow cone need
    the first even so: else little more than their mean is learnt.
    """

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Train on all items, then code them."""
        settings = self.settings
        coder = QuantisedAutoencoder(items.vectors(), settings.levels, settings, generator)
        optimizer = torch.optim.AdamW(coder.parameters(), lr=settings.lr)
        for epoch in range(1, settings.epochs + 1):
            for rows_B in torch.randperm(len(items), generator=generator).split(settings.batch_size):
                inputs_BD = coder.inputs_mD[rows_B]
                quantised_BE, _, loss = coder.books(coder.encoder(inputs_BD))
                loss = loss + squares(coder.decoder(quantised_BE) - inputs_BD)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch < settings.epochs:  # a code that moved last would be one that nothing was trained on
                coder.revive(generator)
            progress(epoch, settings.epochs)
        with torch.no_grad():
            latent_mE = coder.encoder(coder.inputs_mD)
            quantised_mE, codes_mL, _ = coder.books(latent_mE)
            last_KE = coder.books.codebooks[-1]
            left_mE = latent_mE - quantised_mE + last_KE[codes_mL[:, -1]]
            return Quantised(codes_mL, coder.rebuilt(quantised_mE), left_mE, last_KE.detach())


class QuantisedAutoencoder(nn.Module):
    """Encoder, codebooks and decoder of the vectors (m, D) of all items, whose columns it standardises.

    Attributes:
        inputs_mD: the standardised vectors.
    """

    inputs_mD: Tensor
    mean_D: Tensor
    deviation_D: Tensor

    def __init__(
        self, vectors_mD: Tensor, levels: int, settings: AutoencoderSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        deviation_D, mean_D = torch.std_mean(vectors_mD, dim=0, correction=0)
        deviation_D = deviation_D.where(deviation_D > 0, 1.0)
        self.register_buffer("mean_D", mean_D)
        self.register_buffer("deviation_D", deviation_D)
        self.register_buffer("inputs_mD", (vectors_mD - mean_D) / deviation_D)
        widths = (vectors_mD.shape[1], *settings.hidden, settings.latent_dim)
        self.encoder, self.decoder = layers_of(widths, generator), layers_of(widths[::-1], generator)
        self.books = ResidualCodebooks(
            levels, settings.codebook_size, settings.latent_dim, settings.commitment
        )
        self.books.start(self.encoder(self.inputs_mD).detach(), generator)

    def revive(self, generator: torch.Generator) -> None:
        """Move codes that no item uses."""
        self.books.revive(self.encoder(self.inputs_mD).detach(), generator)

    def rebuilt(self, quantised_mE: Tensor) -> Tensor:
        """Return the vectors (m, D), on their own scale, that quantised latents stand for."""
        return self.decoder(quantised_mE) * self.deviation_D + self.mean_D


def layers_of(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Build linear layers with ReLU between them, weights Xavier-normal."""
    parts: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layer = nn.Linear(inner, outer)
        nn.init.xavier_normal_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
        parts += [layer, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def squares(difference_BE: Tensor) -> Tensor:
    """Return the squared length, a mean over items."""
    return difference_BE.square().sum(1).mean()
