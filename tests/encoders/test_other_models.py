"""Any sentence-transformers model: small random ones, made and saved by the library itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.pretrained import LibraryModel, MeanPooledTransformer
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder
from grasp_bench.encoders.sentence_transformers_settings import SentenceTransformers

WORDS = ["rose", "soap", "comb", "nail", "polish", "query", ":", "é", "茶"]
TEXTS = ["rose soap", "nail polish comb", "soap", "茶 é comb " * 30, "unheard words"]


def save_model(folder: Path, pooling: str, *more: str) -> Path:
    """A BERT of two layers with random weights, saved by sentence-transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = folder / "bert"
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]), "utf-8"
    )
    BertTokenizerFast(vocab_file=str(bert / "vocab.txt"), model_max_length=64).save_pretrained(bert)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=14, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(bert)
    transformer = models.Transformer(str(bert), max_seq_length=64)
    parts = [transformer, models.Pooling(32, pooling_mode=pooling)]
    parts += [{"dense": lambda: models.Dense(32, 12), "normalize": models.Normalize}[name]() for name in more]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.mark.parametrize(
    ("pooling", "more", "path", "dim"),
    [
        ("mean", (), MeanPooledTransformer, 32),
        ("mean", ("normalize",), MeanPooledTransformer, 32),
        ("cls", (), LibraryModel, 32),
        ("max", ("dense", "normalize"), LibraryModel, 12),
    ],
)
def test_vectors_are_the_librarys(
    tmp_path: Path, pooling: str, more: tuple[str, ...], path: type, dim: int
) -> None:
    from sentence_transformers import SentenceTransformer

    folder = save_model(tmp_path, pooling, *more)
    section = SentenceTransformers(model=str(folder), dtype="float32", normalize=False)
    encoder = SentenceTransformersTextEncoder(section)
    assert type(encoder._model) is path
    assert (encoder.dim, encoder.unit_norm) == (dim, "normalize" in more)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=2e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_int8_works_on_either_path(tmp_path: Path, pooling: str) -> None:
    section = SentenceTransformers(model=str(save_model(tmp_path, pooling)), dtype="int8")
    encoder = SentenceTransformersTextEncoder(section)
    assert encoder.facts["int8_layers"] >= 12
    exact = SentenceTransformersTextEncoder(section.model_copy(update={"dtype": "float32"}))
    vectors = encoder.encode(TEXTS)
    assert (vectors * exact.encode(TEXTS)).sum(axis=1).min() > 0.99
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, vectors, atol=5e-3)
    assert set(encoder.findings(TEXTS, vectors)) == {"neighbour_overlap"}


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    folder = save_model(tmp_path, "cls")
    weights = next(folder.glob("**/model.safetensors"))
    torch.save({}, weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(DataError, match="cannot be loaded"):
        SentenceTransformersTextEncoder(SentenceTransformers(model=str(folder)))
