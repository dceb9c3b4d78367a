"""A Llama of four layers with random weights, and a tokenizer of ten words."""

from __future__ import annotations

from pathlib import Path

WORDS = ["rose", "soap", "comb", "nail", "polish", "lamp", "kite", "tea", "mask", "oil"]
BEGIN, MASK = 1, 2


def write_llama(folder: Path) -> Path:
    """Write a folder of transformers; the model reads 32 tokens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["[UNK]", "[BOS]", "_", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="[BOS]").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=4, bos_token_id=BEGIN,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32, initializer_range=0.3,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def lines() -> list[str]:
    """Ten texts in which each word follows from the words beside it."""
    return [" ".join(WORDS[(k + step) % 10] for step in range(6)) for k in range(10)]
