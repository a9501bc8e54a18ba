# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""all-MiniLM-L6-v2 with the functional ops and with boostr.torch.fuse: the embeddings stay."""

import copy
import sys
from pathlib import Path

import boostr
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "minilm"))

import model
import weights

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!",
             "He drove to the stadium, and bread stays fresh for longer in a box."]


def assert_same(found, exact):
    """Float32 through six layers, beside float64."""
    assert found.dtype == np.float32 and found.shape == exact.shape
    assert np.linalg.norm(found - exact) <= 1e-5 * np.linalg.norm(exact)


def exact_embeddings(tokens, mask):
    return model.embed(weights.load(np.float64), tokens, mask)


def test_functional_ops():
    calls = []

    def qkv(x, w, b):
        calls.append("qkv")
        return boostr.fused_qkv(x, w, b, num_heads=weights.NUM_HEADS,
                                num_kv_heads=weights.NUM_HEADS, head_dim=weights.HEAD_DIM)

    def out_proj(attn, w, b, residual):
        calls.append("out_proj")
        return boostr.out_proj_residual(attn, w, b, residual=residual)

    tokens, mask = weights.tokenize(SENTENCES)
    found = model.embed(weights.load(), tokens, mask, qkv, out_proj)
    assert_same(found, exact_embeddings(tokens, mask))
    assert calls == ["qkv", "out_proj"] * 6


def test_fuse():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    import boostr.torch as bt

    tokens, mask = map(torch.from_numpy, weights.tokenize(SENTENCES))
    before = transformers.BertModel.from_pretrained(weights.folder(), add_pooling_layer=False)
    before.eval()
    after = copy.deepcopy(before)
    report = bt.fuse(after)
    assert len(report.changed) == 12, report  # Both projections of six layers.

    def embed(bert):
        with torch.no_grad():
            hidden = bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        kept = mask[:, :, None].to(hidden.dtype)
        mean = (hidden * kept).sum(1) / kept.sum(1)
        return torch.nn.functional.normalize(mean).numpy()

    unpatched, fused = embed(before), embed(after)
    assert np.linalg.norm(fused - unpatched) <= 2e-6 * np.linalg.norm(unpatched)
    assert_same(fused, exact_embeddings(tokens.numpy(), mask.numpy()))
