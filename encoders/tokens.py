"""Texts to token batches that are no longer than they must be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import cast

import torch
from open_clip.hf_model import HFTextEncoder  # type: ignore[import-untyped]
from open_clip.tokenizer import HFTokenizer  # type: ignore[import-untyped]
from torch import Tensor

from encoders.towers import ClipModel, ClipTokenizer


def tokenize(model: ClipModel, tokenizer: ClipTokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, cut at the model's context length.

    Towers from transformers mask their padding, so their rows have only as many tokens as the
    text needs. open_clip's own towers expect the full context, so their rows all have its length.
    """
    if _hf_text(model) is None or not _is_plain_hf(tokenizer):
        rows: list[list[int]] = tokenizer(list(texts)).tolist()
        return rows
    cleaned = [tokenizer.clean_fn(text) for text in texts]
    inner = cast(HFTokenizer, tokenizer).tokenizer
    ids: list[list[int]] = inner(
        cleaned, truncation=True, max_length=tokenizer.context_length
    ).input_ids
    return ids


def pad(model: ClipModel, rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of differing length as one batch, ``[B, longest]`` int64."""
    text = _hf_text(model)
    filler = 0 if text is None else text.config.pad_token_id
    batch = torch.full((len(rows), max(map(len, rows))), filler, dtype=torch.int64)
    for row, ids in enumerate(rows):
        batch[row, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return batch


def hash_tokenizer(tokenizer: ClipTokenizer) -> str:
    """Hash over all that decides which ids a text gets: vocabulary, cleaning and length."""
    if isinstance(tokenizer, HFTokenizer):
        vocabulary = tokenizer.tokenizer.get_vocab()
    else:
        vocabulary = getattr(tokenizer, "encoder", {})
    settings = {
        "kind": type(tokenizer).__name__,
        "context_length": tokenizer.context_length,
        "clean": getattr(tokenizer.clean_fn, "__name__", ""),
        "vocabulary": sorted(vocabulary.items()),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _hf_text(model: ClipModel) -> HFTextEncoder | None:
    text = getattr(model, "text", None)
    return text if isinstance(text, HFTextEncoder) else None


def _is_plain_hf(tokenizer: ClipTokenizer) -> bool:
    return (
        isinstance(tokenizer, HFTokenizer)
        and not tokenizer.tokenizer_mode
        and not tokenizer.strip_sep_token
    )
