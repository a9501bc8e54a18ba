# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Modules around the ops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Optional

import torch
from torch import Tensor, nn

from .._kernels import part_rows
from ._ops import fused_qkv, out_proj_residual

if TYPE_CHECKING:
    from torch.types import Device as DeviceLikeType

# What the three projections are called where they are separate.
_SEPARATE = (("q_proj", "k_proj", "v_proj"), ("query", "key", "value"), ("q", "k", "v"),
             ("wq", "wk", "wv"))
# And what one projection is called that has them all, as rows or (Conv1D) as columns.
_PACKED = ("qkv_proj", "qkv", "query_key_value", "Wqkv", "in_proj", "c_attn")


def _reset(weight: Tensor, bias: Optional[Tensor]) -> None:
    """As torch.nn.Linear begins."""
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(weight.shape[1]) if weight.shape[1] else 0
        nn.init.uniform_(bias, -bound, bound)


class FusedQKV(nn.Module):
    """Query, key and value of all heads from one input: split_heads(x @ weight.T + bias).

    Arguments:
      hidden_size: H, the width of the input.
      num_heads: how many query heads.
      num_kv_heads: how many key heads, and as many value heads; by default num_heads.
      head_dim: D; by default hidden_size // num_heads.
      bias: whether the projections have one.
      device: where the parameters are, as of torch.nn.Linear.
      dtype: their element type, float64, float32, float16 or bfloat16.

    `weight` is [(num_heads + 2 * num_kv_heads) * head_dim, H], the rows of query, key and
    value one behind the other, `bias` one number for each row. load_state_dict also takes
    the weights of separate projections (q_proj, k_proj, v_proj; query, key, value; ...)
    and of packed ones under other names (qkv_proj, in_proj, c_attn, ...).

    Raises:
      ValueError: head_dim is None and num_heads does not divide hidden_size.
    """

    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: Optional[int] = None,
                 head_dim: Optional[int] = None, bias: bool = False, *,
                 device: DeviceLikeType | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        if head_dim is None and hidden_size % num_heads:
            raise ValueError(f"head_dim: expected a number where num_heads ({num_heads}) does not "
                             f"divide hidden_size ({hidden_size}), got None")
        self.head_dim = hidden_size // num_heads if head_dim is None else head_dim
        rows = sum(self.rows)
        self.weight = nn.Parameter(torch.empty(rows, hidden_size, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(rows, device=device, dtype=dtype)) if bias else None
        _reset(self.weight, self.bias)

    @property
    def rows(self) -> tuple[int, int, int]:
        """How many rows of the weight belong to query, key and value."""
        return part_rows(self.num_heads, self.num_kv_heads, self.head_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`fused_qkv`: x [B, S, H] -> q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D].

        Arguments:
          x: [B, S, H], of the type of the parameters.

        Raises:
          ValueError: a wrong shape or device.
          TypeError: another element type.
        """
        return fused_qkv(x, self.weight, self.bias, num_heads=self.num_heads,
                         num_kv_heads=self.num_kv_heads, head_dim=self.head_dim)

    def extra_repr(self) -> str:
        """What print shows of it."""
        return (f"hidden_size={self.hidden_size}, num_heads={self.num_heads}, "
                f"num_kv_heads={self.num_kv_heads}, head_dim={self.head_dim}, "
                f"bias={self.bias is not None}")

    def _load_from_state_dict(self, state_dict, prefix, *arguments):
        for kind in ("weight", "bias"):
            self._pack(state_dict, prefix, kind)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _pack(self, state_dict, prefix, kind) -> None:
        """Puts `weight` or `bias` where it is looked for, from where others have it."""
        if prefix + kind in state_dict:
            return
        for names in _SEPARATE:
            keys = [f"{prefix}{name}.{kind}" for name in names]
            if all(key in state_dict for key in keys):
                state_dict[prefix + kind] = torch.cat([state_dict.pop(key) for key in keys])
                return
        for name in _PACKED:
            if f"{prefix}{name}.{kind}" in state_dict:
                packed = state_dict.pop(f"{prefix}{name}.{kind}")
                is_conv1d = name == "c_attn" and packed.dim() == 2
                state_dict[prefix + kind] = packed.t() if is_conv1d else packed
                return


class OutProjResidual(nn.Module):
    """The projection behind attention and the residual: attn @ weight.T + bias + residual.

    Arguments:
      width: P, of the attention's output: num_heads * head_dim.
      hidden_size: H, of the result.
      bias: whether the projection has one.
      device: where the parameters are, as of torch.nn.Linear.
      dtype: their element type, float64, float32, float16 or bfloat16.

    `weight` is [H, P], as that of torch.nn.Linear, whose state dict loads.
    """

    def __init__(self, width: int, hidden_size: int, bias: bool = False, *,
                 device: DeviceLikeType | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        self.width = width
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.empty(hidden_size, width, device=device, dtype=dtype))
        self.bias = (nn.Parameter(torch.empty(hidden_size, device=device, dtype=dtype))
                     if bias else None)
        _reset(self.weight, self.bias)

    def forward(self, attn: Tensor, residual: Tensor) -> Tensor:
        """`out_proj_residual`: attn [B, S, P] and residual [B, S, H] -> y [B, S, H].

        Arguments:
          attn: [B, S, P], of the type of the parameters.
          residual: [B, S, H], of the same type.

        Raises:
          ValueError: a wrong shape or device.
          TypeError: another element type.
        """
        return out_proj_residual(attn, self.weight, self.bias, residual=residual)

    def extra_repr(self) -> str:
        """What print shows of it."""
        return f"width={self.width}, hidden_size={self.hidden_size}, bias={self.bias is not None}"
