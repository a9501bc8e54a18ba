# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Custom ops `torch.ops.boostr.*` and all that PyTorch wants to know of them."""

from __future__ import annotations

import functools
from typing import Optional

import torch
from torch import Tensor

from .. import Context, _kernels

_ELEMENTS = {getattr(torch, name): element for name, element in _kernels.ELEMENTS.items()}

_library = torch.library.Library("boostr", "DEF")
_library.define("fused_qkv(Tensor x, Tensor w, Tensor? b, int num_heads, "
                "int num_kv_heads, int head_dim) -> (Tensor, Tensor, Tensor)")
_library.define("fused_qkv_grad(Tensor dq, Tensor dk, Tensor dv, Tensor x, Tensor w, "
                "bool input, bool weight, bool bias) -> Tensor[]")
_library.define("out_proj_residual(Tensor attn, Tensor w, Tensor? b, Tensor residual) -> Tensor")
_library.define("out_proj_residual_grad(Tensor dy, Tensor attn, Tensor w, "
                "bool input, bool weight, bool bias) -> Tensor[]")


# ---------------------------------------------------------------------------------------
# Checks, which all devices share with the computation of shapes
# ---------------------------------------------------------------------------------------

def _check_like(name: str, tensor: Tensor, shape, first_name: str, first: Tensor) -> None:
    if tensor.dtype != first.dtype:
        raise TypeError(f"{name}: expected {first.dtype}, as {first_name} has, got {tensor.dtype}")
    if tensor.device != first.device:
        raise ValueError(f"{name}: expected a tensor on {first.device}, as {first_name} is, got "
                         f"one on {tensor.device}")
    if tensor.dim() != len(shape) or any(a != b for a, b in zip(tensor.shape, shape)):
        raise ValueError(f"{name}: expected {list(shape)}, got {list(tensor.shape)}")


def _check_first(name: str, tensor: Tensor, dims: str) -> None:
    if tensor.dim() != dims.count(",") + 1:
        raise ValueError(f"{name}: expected [{dims}], got {list(tensor.shape)}")
    if tensor.dtype not in _ELEMENTS:
        raise TypeError(f"{name}: expected torch.float64, float32, float16 or bfloat16, got "
                        f"{tensor.dtype}")


def _check_qkv(x, w, b, num_heads, num_kv_heads, head_dim) -> None:
    for name, number in (("num_heads", num_heads), ("num_kv_heads", num_kv_heads),
                         ("head_dim", head_dim)):
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    _check_first("x", x, "batch, sequence, hidden")
    rows = (num_heads + 2 * num_kv_heads) * head_dim
    _check_like("w", w, (rows, x.shape[2]), "x", x)
    if b is not None:
        _check_like("b", b, (rows,), "x", x)


def _check_out_proj(attn, w, b, residual) -> None:
    _check_first("attn", attn, "batch, sequence, width")
    if w.dim() != 2:
        raise ValueError(f"w: expected [hidden, {attn.shape[2]}], got {list(w.shape)}")
    hidden = w.shape[0]
    _check_like("w", w, (hidden, attn.shape[2]), "attn", attn)
    _check_like("residual", residual, (*attn.shape[:2], hidden), "attn", attn)
    if b is not None:
        _check_like("b", b, (hidden,), "attn", attn)


# ---------------------------------------------------------------------------------------
# Shapes of results
# ---------------------------------------------------------------------------------------

def _empty_gradients(x, w, input, weight, bias):
    shapes = ((input, x.shape), (weight, w.shape), (bias, w.shape[:1]))
    return [x.new_empty(shape) for is_wanted, shape in shapes if is_wanted]


@torch.library.register_fake("boostr::fused_qkv", lib=_library)
def _(x, w, b, num_heads, num_kv_heads, head_dim):
    _check_qkv(x, w, b, num_heads, num_kv_heads, head_dim)
    batch, length, _ = x.shape
    return tuple(x.new_empty(batch, heads, length, head_dim)
                 for heads in (num_heads, num_kv_heads, num_kv_heads))


@torch.library.register_fake("boostr::fused_qkv_grad", lib=_library)
def _(dq, dk, dv, x, w, input, weight, bias):
    return _empty_gradients(x, w, input, weight, bias)


@torch.library.register_fake("boostr::out_proj_residual", lib=_library)
def _(attn, w, b, residual):
    _check_out_proj(attn, w, b, residual)
    return residual.new_empty(residual.shape)


@torch.library.register_fake("boostr::out_proj_residual_grad", lib=_library)
def _(dy, attn, w, input, weight, bias):
    return _empty_gradients(attn, w, input, weight, bias)


# ---------------------------------------------------------------------------------------
# Computation
# ---------------------------------------------------------------------------------------

@functools.cache
def _context(count: int) -> Context:
    """PyTorch's own threads: a second pool beside them would be in their way."""
    for library in ("libgomp.so.1", "libiomp5.so", "libomp.so"):
        try:
            return Context(openmp=library, num_threads=count)
        except ValueError:
            pass  # PyTorch was built with another one.
    return Context(num_threads=count)


def _target(device: int) -> str:
    """By what Tensor.get_device says."""
    return "cpu" if device < 0 else f"cuda:{device}"


def _names(input: bool, weight: bool, bias: bool, first: str) -> tuple[str, ...]:
    flags = ((first, input), ("weight", weight), ("bias", bias))
    return tuple(name for name, is_wanted in flags if is_wanted)


def _as_list(results) -> list[Tensor]:
    return list(results) if isinstance(results, tuple) else [results]


def _run(check, lookup, arguments, *tensors):
    """Calls the function that `lookup` knows for these arguments.

    The function checks what it is called with, so only what it is found by is looked at
    before; where it objects, `check` says so in the words of the op.
    """
    # Threads are of no concern to CUDA functions, whose modules a context keeps.
    context = None if tensors[0].is_cuda else _context(torch.get_num_threads())
    try:
        return lookup(*arguments)(*[t.contiguous() for t in tensors if t is not None],
                                  context=context)
    except (KeyError, ValueError, TypeError):
        check()
        raise


@functools.cache
def _find_qkv(dtype, shape, has_bias, num_heads, num_kv_heads, head_dim, device):
    rows, hidden = shape
    if rows != (num_heads + 2 * num_kv_heads) * head_dim:
        raise ValueError("w: expected other rows")  # In full by _check_qkv.
    return _kernels.fused_qkv(_ELEMENTS[dtype], hidden, num_heads, num_kv_heads, head_dim,
                              has_bias, _target(device))


def _fused_qkv(x, w, b, num_heads, num_kv_heads, head_dim):
    return _run(lambda: _check_qkv(x, w, b, num_heads, num_kv_heads, head_dim), _find_qkv,
                (x.dtype, w.shape, b is not None, num_heads, num_kv_heads, head_dim,
                 x.get_device()), x, w, b)


@functools.cache
def _find_qkv_grad(dtype, shape, num_heads, num_kv_heads, head_dim, wrt, device):
    return _kernels.fused_qkv_grad(_ELEMENTS[dtype], shape[1], num_heads, num_kv_heads, head_dim,
                                   wrt, _target(device))


def _fused_qkv_grad(dq, dk, dv, x, w, input, weight, bias):
    wrt = _names(input, weight, bias, "input")
    if not wrt:
        return []
    return _as_list(_run(lambda: None, _find_qkv_grad,
                         (x.dtype, w.shape, dq.shape[1], dk.shape[1], dq.shape[3], wrt,
                          x.get_device()), dq, dk, dv, x, w))


@functools.cache
def _find_out_proj(dtype, shape, has_bias, device):
    return _kernels.out_proj_residual(_ELEMENTS[dtype], *shape, has_bias, _target(device))


def _out_proj_residual(attn, w, b, residual):
    return _run(lambda: _check_out_proj(attn, w, b, residual), _find_out_proj,
                (attn.dtype, w.shape, b is not None, attn.get_device()), attn, w, b, residual)


@functools.cache
def _find_out_proj_grad(dtype, shape, wrt, device):
    return _kernels.out_proj_residual_grad(_ELEMENTS[dtype], *shape, wrt, _target(device))


def _out_proj_residual_grad(dy, attn, w, input, weight, bias):
    wrt = _names(input, weight, bias, "attn")
    if not wrt:
        return []
    return _as_list(_run(lambda: None, _find_out_proj_grad,
                         (attn.dtype, w.shape, wrt, attn.get_device()), dy, attn, w))


for _key in ("CPU", "CUDA"):
    _library.impl("fused_qkv", _fused_qkv, _key)
    _library.impl("fused_qkv_grad", _fused_qkv_grad, _key)
    _library.impl("out_proj_residual", _out_proj_residual, _key)
    _library.impl("out_proj_residual_grad", _out_proj_residual_grad, _key)


# ---------------------------------------------------------------------------------------
# Gradients
# ---------------------------------------------------------------------------------------

def _save(ctx, inputs, output):
    x, w, b, *_ = inputs
    ctx.save_for_backward(x, w)
    ctx.has_bias = b is not None


def _spread(flags, gradients):
    rest = iter(gradients)
    return [next(rest) if is_wanted else None for is_wanted in flags]


def _differentiate_qkv(ctx, dq, dk, dv):
    x, w = ctx.saved_tensors
    flags = [*ctx.needs_input_grad[:2], ctx.needs_input_grad[2] and ctx.has_bias]
    if not any(flags):
        return (None,) * 6
    gradients = torch.ops.boostr.fused_qkv_grad(dq, dk, dv, x, w, *flags)
    return (*_spread(flags, gradients), None, None, None)


def _differentiate_out_proj(ctx, dy):
    attn, w = ctx.saved_tensors
    flags = [*ctx.needs_input_grad[:2], ctx.needs_input_grad[2] and ctx.has_bias]
    gradients = []
    if any(flags):
        gradients = torch.ops.boostr.out_proj_residual_grad(dy, attn, w, *flags)
    return (*_spread(flags, gradients), dy if ctx.needs_input_grad[3] else None)


def _make_functions(op, differentiate):
    """Two autograd functions for an op: one that torch.func transforms, which custom ops'
    own gradients it does not, and one for the op itself with tensors that require some."""

    class Functional(torch.autograd.Function):
        generate_vmap_rule = True
        setup_context = staticmethod(_save)
        backward = staticmethod(differentiate)

        @staticmethod
        def forward(*arguments):
            return op(*arguments)

    class Eager(Functional):
        @staticmethod
        def forward(*arguments):
            with torch._C._AutoDispatchBelowAutograd():
                return op(*arguments)

    return Functional, Eager


_FunctionalQKV, _EagerQKV = _make_functions(
    torch.ops.boostr.fused_qkv.default, _differentiate_qkv)
_FunctionalOutProj, _EagerOutProj = _make_functions(
    torch.ops.boostr.out_proj_residual.default, _differentiate_out_proj)


def _register_autograd(name: str, function, count: int) -> None:
    """Gradients of an op by its first `count` arguments.

    As torch.library.register_autograd would, whose generality takes as long as a small op.
    """
    op = getattr(torch.ops.boostr, name).default

    def run(*arguments):
        if torch.is_grad_enabled():
            for tensor in arguments[:count]:
                if tensor is not None and tensor.requires_grad:
                    return function.apply(*arguments)
        with torch._C._AutoDispatchBelowAutograd():
            return op(*arguments)

    _library.impl(name, run, "Autograd")


_register_autograd("fused_qkv", _EagerQKV, 3)
_register_autograd("out_proj_residual", _EagerOutProj, 4)


def _is_transformed() -> bool:
    """Whether a transform of torch.func is at work."""
    return (not torch.compiler.is_compiling()
            and torch._C._functorch.peek_interpreter_stack() is not None)


# ---------------------------------------------------------------------------------------
# Autocast
# ---------------------------------------------------------------------------------------

def _autocast(device: str):
    key = {"cpu": torch._C.DispatchKey.AutocastCPU, "cuda": torch._C.DispatchKey.AutocastCUDA}
    excluded = torch._C.DispatchKeySet(key[device])

    def cast(tensor: Optional[Tensor]):
        if tensor is None or not tensor.is_floating_point() or tensor.dtype == torch.float64:
            return tensor
        return tensor.to(torch.get_autocast_dtype(device))

    def fused_qkv(x, w, b, num_heads, num_kv_heads, head_dim):
        with torch._C._ExcludeDispatchKeyGuard(excluded):
            return torch.ops.boostr.fused_qkv(cast(x), cast(w), cast(b), num_heads,
                                              num_kv_heads, head_dim)

    def out_proj_residual(attn, w, b, residual):
        with torch._C._ExcludeDispatchKeyGuard(excluded):
            attn, w, b = cast(attn), cast(w), cast(b)
            if residual.dtype == attn.dtype:
                return torch.ops.boostr.out_proj_residual(attn, w, b, residual)
            # Autocast keeps a sum in the wider type, and so the residual stream.
            return torch.nn.functional.linear(attn, w, b) + residual

    _library.impl("fused_qkv", fused_qkv, f"Autocast{device.upper()}")
    _library.impl("out_proj_residual", out_proj_residual, f"Autocast{device.upper()}")


_autocast("cpu")
_autocast("cuda")


# ---------------------------------------------------------------------------------------
# Batching (torch.vmap)
# ---------------------------------------------------------------------------------------

def _merge(tensor, dim, size):
    """The batch of vmap, put into the batch of the op."""
    tensor = (tensor.unsqueeze(0).expand(size, *tensor.shape) if dim is None
              else tensor.movedim(dim, 0))
    return tensor.reshape(size * tensor.shape[1], *tensor.shape[2:])


def _one_by_one(op, info, in_dims, *arguments):
    """Where a weight has a batch too, no one product is left."""
    results = []
    for i in range(info.batch_size):
        chosen = [a.select(dim, i) if dim is not None and isinstance(a, Tensor) else a
                  for a, dim in zip(arguments, in_dims)]
        results.append(op(*chosen))
    if isinstance(results[0], Tensor):
        return torch.stack(results), 0
    stacked = [torch.stack(column) for column in zip(*results)]
    kind = type(results[0])
    return kind(stacked), kind([0] * len(stacked))


def _vmap(op, tokens):
    """A rule for an op whose arguments number `tokens` have tokens, and the others weights
    or settings; results have tokens."""
    def rule(info, in_dims, *arguments):
        if any(dim is not None and i not in tokens for i, dim in enumerate(in_dims)):
            return _one_by_one(op, info, in_dims, *arguments)
        merged = [_merge(a, in_dims[i], info.batch_size) if i in tokens else a
                  for i, a in enumerate(arguments)]
        results = op(*merged)
        split = lambda r: r.unflatten(0, (info.batch_size, -1)) if r.shape[0] else r.reshape(
            info.batch_size, 0, *r.shape[1:])
        if isinstance(results, Tensor):
            return split(results), 0
        return type(results)(map(split, results)), type(results)([0] * len(results))
    return rule


def _grad_rule(op, tokens):
    """Gradients of weights are sums over tokens, so those of each part are wanted alone."""
    def rule(info, in_dims, *arguments):
        weight, bias = arguments[-2:]
        if weight or bias:
            return _one_by_one(op, info, in_dims, *arguments)
        return _vmap(op, tokens)(info, in_dims, *arguments)
    return rule


torch.library.register_vmap("boostr::fused_qkv", _vmap(torch.ops.boostr.fused_qkv, {0}),
                            lib=_library)
torch.library.register_vmap("boostr::out_proj_residual",
                            _vmap(torch.ops.boostr.out_proj_residual, {0, 3}), lib=_library)
torch.library.register_vmap("boostr::fused_qkv_grad",
                            _grad_rule(torch.ops.boostr.fused_qkv_grad, {0, 1, 2, 3}),
                            lib=_library)
torch.library.register_vmap("boostr::out_proj_residual_grad",
                            _grad_rule(torch.ops.boostr.out_proj_residual_grad, {0, 1}),
                            lib=_library)


# ---------------------------------------------------------------------------------------
# The functions
# ---------------------------------------------------------------------------------------

def fused_qkv(x: Tensor, w: Tensor, b: Optional[Tensor] = None, *, num_heads: int,
              num_kv_heads: int, head_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of all heads: split_heads(x @ w.T + b).

    Arguments:
      x: [B, S, H], float64, float32, float16 or bfloat16, on a CPU or CUDA device.
      w: [(num_heads + 2 * num_kv_heads) * head_dim, H]: the rows of the query heads, then
        those of the key heads, then those of the value heads. Of the type of x.
      b: the bias, one number for each row of w, or None.
      num_heads, num_kv_heads, head_dim: how many heads of which width D.

    Returns q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D], contiguous. Sums of
    float16 and bfloat16 are made in float32 and rounded once. Differentiable by x, w and b;
    only the gradients that are needed are computed. Tensors that are not contiguous are
    copied first. Under autocast all are cast to its type.

    Raises ValueError or TypeError, which name the argument, what was expected and found.
    """
    op = _FunctionalQKV.apply if _is_transformed() else torch.ops.boostr.fused_qkv.default
    return op(x, w, b, num_heads, num_kv_heads, head_dim)


def out_proj_residual(attn: Tensor, w: Tensor, b: Optional[Tensor] = None, *,
                      residual: Tensor) -> Tensor:
    """The projection behind attention and the residual: attn @ w.T + b + residual.

    Arguments:
      attn: [B, S, P]. Types and devices as of fused_qkv.
      w: [H, P].
      b: the bias [H], or None.
      residual: [B, S, H].

    Returns y [B, S, H]: everything is added up before the one rounding. Differentiable by
    all four. Under autocast a residual of a wider type is added behind the product, in that
    type, as PyTorch would.

    Raises as fused_qkv does.
    """
    op = (_FunctionalOutProj.apply if _is_transformed()
          else torch.ops.boostr.out_proj_residual.default)
    return op(attn, w, b, residual)
