# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an installed wheel does with PyTorch in a new process: the first exception of an op
crosses PyTorch's frames before any other has."""

try:
    import torch
except ImportError:
    print("no PyTorch")
    raise SystemExit

import boostr
import boostr.torch as bt

try:
    bt.fused_qkv(torch.ones(1, 4, 8), torch.ones(5, 8), num_heads=1, num_kv_heads=1, head_dim=2)
except ValueError as error:
    print(f"refused: {error}")
print(f"from {boostr.__file__}")
