# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Custom ops `torch.ops.boostr.*` and all that PyTorch wants to know of them."""

from __future__ import annotations

from typing import Optional, Union

import torch
from torch import Tensor

from .. import _checks as _parts
from . import _checks, _compute

# One tensor, or one for each of query, key and value.
Parts = Union[Tensor, tuple[Tensor, Tensor, Tensor]]

_library = torch.library.Library("boostr", "DEF")
_library.define("fused_qkv(Tensor x, Tensor w, Tensor? b, int num_heads, "
                "int num_kv_heads, int head_dim) -> (Tensor, Tensor, Tensor)")
_library.define("fused_qkv_grad(Tensor dq, Tensor dk, Tensor dv, Tensor x, Tensor w, "
                "bool input, bool weight, bool bias) -> Tensor[]")
_library.define("fused_qkv_separate(Tensor x, Tensor wq, Tensor wk, Tensor wv, Tensor? bq, "
                "Tensor? bk, Tensor? bv, int num_heads, int num_kv_heads, int head_dim) "
                "-> (Tensor, Tensor, Tensor)")
_library.define("fused_qkv_separate_grad(Tensor dq, Tensor dk, Tensor dv, Tensor x, Tensor wq, "
                "Tensor wk, Tensor wv, bool input, bool weight, bool bias) -> Tensor[]")
_library.define("out_proj_residual(Tensor attn, Tensor w, Tensor? b, Tensor residual) -> Tensor")
_library.define("out_proj_residual_grad(Tensor dy, Tensor attn, Tensor w, "
                "bool input, bool weight, bool bias) -> Tensor[]")


# ---------------------------------------------------------------------------------------
# Shapes of results
# ---------------------------------------------------------------------------------------

def _empty_heads(x, num_heads, num_kv_heads, head_dim):
    batch, length, _ = x.shape
    return tuple(x.new_empty(batch, heads, length, head_dim)
                 for heads in (num_heads, num_kv_heads, num_kv_heads))


def _empty_gradients(x, weights, input, weight, bias):
    shapes = [x.shape] if input else []
    shapes += [w.shape for w in weights if weight]
    shapes += [w.shape[:1] for w in weights if bias]
    return [x.new_empty(shape) for shape in shapes]


@torch.library.register_fake("boostr::fused_qkv", lib=_library)
def _(x, w, b, num_heads, num_kv_heads, head_dim):
    _checks.check_qkv(x, w, b, num_heads, num_kv_heads, head_dim)
    return _empty_heads(x, num_heads, num_kv_heads, head_dim)


@torch.library.register_fake("boostr::fused_qkv_separate", lib=_library)
def _(x, wq, wk, wv, bq, bk, bv, num_heads, num_kv_heads, head_dim):
    _checks.check_qkv_separate(x, wq, wk, wv, bq, bk, bv, num_heads, num_kv_heads, head_dim)
    return _empty_heads(x, num_heads, num_kv_heads, head_dim)


@torch.library.register_fake("boostr::fused_qkv_grad", lib=_library)
def _(dq, dk, dv, x, w, input, weight, bias):
    return _empty_gradients(x, (w,), input, weight, bias)


@torch.library.register_fake("boostr::fused_qkv_separate_grad", lib=_library)
def _(dq, dk, dv, x, wq, wk, wv, input, weight, bias):
    return _empty_gradients(x, (wq, wk, wv), input, weight, bias)


@torch.library.register_fake("boostr::out_proj_residual", lib=_library)
def _(attn, w, b, residual):
    _checks.check_out_proj(attn, w, b, residual)
    return residual.new_empty(residual.shape)


@torch.library.register_fake("boostr::out_proj_residual_grad", lib=_library)
def _(dy, attn, w, input, weight, bias):
    return _empty_gradients(attn, (w,), input, weight, bias)


_compute.register(_library)


# ---------------------------------------------------------------------------------------
# Gradients
# ---------------------------------------------------------------------------------------

def _spread(flags, gradients):
    rest = iter(gradients)
    return [next(rest) if is_wanted else None for is_wanted in flags]


def _contiguous(*gradients):
    """As kernels want them. A compiler makes this copy where it makes the gradient."""
    return [gradient.contiguous() for gradient in gradients]


def _differentiate_qkv(ctx, dq, dk, dv):
    x, w = ctx.saved_tensors
    flags = ctx.needs_input_grad[:3]  # False for a bias that is None.
    if not any(flags):
        return (None,) * 6
    gradients = torch.ops.boostr.fused_qkv_grad.default(*_contiguous(dq, dk, dv), x, w, *flags)
    return (*_spread(flags, gradients), None, None, None)


def _differentiate_qkv_separate(ctx, dq, dk, dv):
    x, *weights = ctx.saved_tensors
    needed = ctx.needs_input_grad
    flags = (needed[0], any(needed[1:4]), any(needed[4:7]))
    if not any(flags):
        return (None,) * 10
    gradients = torch.ops.boostr.fused_qkv_separate_grad.default(
        *_contiguous(dq, dk, dv), x, *weights, *flags)
    each = (flags[0], *(flags[1],) * 3, *(flags[2],) * 3)
    return (*_spread(each, gradients), None, None, None)


def _differentiate_out_proj(ctx, dy):
    attn, w = ctx.saved_tensors
    flags = ctx.needs_input_grad[:3]
    gradients = []
    if any(flags):
        gradients = torch.ops.boostr.out_proj_residual_grad.default(dy, attn, w, *flags)
    return (*_spread(flags, gradients), dy if ctx.needs_input_grad[3] else None)


def _make_functions(op, saved: int, differentiate):
    """Two autograd functions for an op: one that torch.func transforms, which custom ops'
    own gradients it does not, and one for the op itself with tensors that require some.

    The first `saved` arguments are kept for the gradients.

    The second has no `setup_context`: with one, PyTorch looks at the signature of `forward`
    in each call, which takes longer than all the rest.
    """

    class Functional(torch.autograd.Function):
        generate_vmap_rule = True
        backward = staticmethod(differentiate)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs[:saved])

        @staticmethod
        def forward(*arguments):
            return op(*arguments)

    class Eager(torch.autograd.Function):
        backward = staticmethod(differentiate)

        @staticmethod
        def forward(ctx, *arguments):
            ctx.save_for_backward(*arguments[:saved])
            with torch._C._AutoDispatchBelowAutograd():
                return op(*arguments)

    return Functional, Eager


def _make_recorder(function, count: int):
    """Function.apply for arguments of which the first `count` are tensors."""
    # It is the one in C++, without what Python puts before it for other kinds of functions;
    # of that, tensors that a transform of torch.func left behind need to be unwrapped here.
    apply = super(torch.autograd.Function, function).apply
    unwrap = torch._C._functorch.unwrap_if_dead

    def record(arguments):
        tensors = [None if t is None else unwrap(t) for t in arguments[:count]]
        return apply(*tensors, *arguments[count:])

    return record


def _make_kernel(op, record, count: int):
    """The op's kernel for autograd.

    As torch.library.register_autograd would make it, whose generality takes as long as a
    small op.
    """
    def kernel(*arguments):
        if torch.is_grad_enabled():
            for tensor in arguments[:count]:
                if tensor is not None and tensor.requires_grad:
                    return record(arguments)
        with torch._C._AutoDispatchBelowAutograd():
            return op(*arguments)

    return kernel


def _make_caller(op, functional, record, count: int, check):
    """The op by the shortest way that does all that PyTorch is to do now."""
    is_compiling = torch.compiler.is_compiling
    get_transform = torch._C._functorch.peek_interpreter_stack
    is_autocast = getattr(torch._C, "_is_any_autocast_enabled", lambda: (
        torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")))
    has_function_mode = torch._C._is_torch_function_mode_enabled
    is_grad_enabled = torch.is_grad_enabled
    below_autograd = torch._C._AutoDispatchBelowAutograd

    def call(*arguments):
        if is_compiling():
            return op(*arguments)
        try:
            if get_transform() is not None:
                return functional.apply(*arguments)
            if is_autocast() or has_function_mode():
                return op(*arguments)
            # What the dispatcher would call next, the kernel above, without it.
            if is_grad_enabled():
                for tensor in arguments[:count]:
                    if tensor is not None and tensor.requires_grad:
                        return record(arguments)
            with below_autograd():
                return op(*arguments)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            check(*arguments)  # In the words of the op, if an argument is wrong.
            if str(error).startswith("CUDA out of memory"):
                raise torch.cuda.OutOfMemoryError(str(error)) from None
            raise

    return call


def _add_gradients(name: str, count: int, saved: int, differentiate, check):
    """Gradients of an op by its first `count` arguments, from its first `saved` ones. Returns
    what calls it."""
    op = getattr(torch.ops.boostr, name).default
    functional, eager = _make_functions(op, saved, differentiate)
    record = _make_recorder(eager, count)
    _library.impl(name, _make_kernel(op, record, count), "Autograd")
    return _make_caller(op, functional, record, count, check)


_call_qkv = _add_gradients("fused_qkv", 3, 2, _differentiate_qkv, _checks.check_qkv)
_call_qkv_separate = _add_gradients("fused_qkv_separate", 7, 4, _differentiate_qkv_separate,
                                    _checks.check_qkv_separate)
_call_out_proj = _add_gradients("out_proj_residual", 4, 2, _differentiate_out_proj,
                                _checks.check_out_proj)


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

    def fused_qkv_separate(*arguments):
        with torch._C._ExcludeDispatchKeyGuard(excluded):
            return torch.ops.boostr.fused_qkv_separate(*map(cast, arguments[:7]), *arguments[7:])

    def out_proj_residual(attn, w, b, residual):
        with torch._C._ExcludeDispatchKeyGuard(excluded):
            attn, w, b = cast(attn), cast(w), cast(b)
            if residual.dtype == attn.dtype:
                return torch.ops.boostr.out_proj_residual(attn, w, b, residual)
            # Autocast keeps a sum in the wider type, and so the residual stream.
            return torch.nn.functional.linear(attn, w, b) + residual

    _library.impl("fused_qkv", fused_qkv, f"Autocast{device.upper()}")
    _library.impl("fused_qkv_separate", fused_qkv_separate, f"Autocast{device.upper()}")
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


_VMAP_RULES = {
    "fused_qkv": _vmap(torch.ops.boostr.fused_qkv, {0}),
    "fused_qkv_separate": _vmap(torch.ops.boostr.fused_qkv_separate, {0}),
    "out_proj_residual": _vmap(torch.ops.boostr.out_proj_residual, {0, 3}),
    "fused_qkv_grad": _grad_rule(torch.ops.boostr.fused_qkv_grad, {0, 1, 2, 3}),
    "fused_qkv_separate_grad": _grad_rule(torch.ops.boostr.fused_qkv_separate_grad, {0, 1, 2, 3}),
    "out_proj_residual_grad": _grad_rule(torch.ops.boostr.out_proj_residual_grad, {0, 1}),
}
# PyTorch 2.4 takes no rules for vmap of custom ops.
if hasattr(torch.library, "register_vmap"):
    for _name, _rule in _VMAP_RULES.items():
        torch.library.register_vmap(f"boostr::{_name}", _rule, lib=_library)


# ---------------------------------------------------------------------------------------
# The functions
# ---------------------------------------------------------------------------------------

def fused_qkv(x: Tensor, w: Parts, b: Optional[Parts] = None, *, num_heads: int,
              num_kv_heads: int, head_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of all heads: split_heads(x @ w.T + b).

    With y = x @ w.T + b and D = head_dim, q[i, h, s, d] = y[i, s, h * D + d]; k and v follow
    behind the rows of q in the same way. Sums of float16 and bfloat16 are made in float32
    and rounded once. Differentiable by x, w and b; only the gradients that are needed are
    computed. Under autocast all are cast to its type.

    Arguments:
      x: [B, S, H], float64, float32, float16 or bfloat16, on a CPU or CUDA device. Tensors
        that are not contiguous are copied first.
      w: [(num_heads + 2 * num_kv_heads) * head_dim, H], of the type of x: the rows of the
        query heads, then those of the key heads, then those of the value heads. Or a tuple of
        three, (wq, wk, wv), with the rows of each, as most models have them: they are read,
        and their gradients written, where they are.
      b: the bias, one number for each row of w, of the type of x, or None. Three if w is three.
      num_heads: how many query heads, 1 or more.
      num_kv_heads: how many key heads, and as many value heads, 1 or more.
      head_dim: their width D, 1 or more.

    Returns:
      q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D], contiguous, of the type and on
      the device of x.

    Raises:
      ValueError: a wrong shape, number or device; it names the argument, what was expected
        and what was found.
      TypeError: another element type.
    """
    if isinstance(w, (tuple, list)):
        weights, biases = _parts.weights_and_biases(w, b)
        return _call_qkv_separate(x, *weights, *(biases or (None,) * 3), num_heads, num_kv_heads,
                                  head_dim)
    return _call_qkv(x, w, b, num_heads, num_kv_heads, head_dim)


def out_proj_residual(attn: Tensor, w: Tensor, b: Optional[Tensor] = None, *,
                      residual: Tensor) -> Tensor:
    """The projection behind attention and the residual: attn @ w.T + b + residual.

    Everything is added up before the one rounding. Differentiable by all four. Under autocast
    a residual of a wider type is added behind the product, in that type, as PyTorch would.

    Arguments:
      attn: [B, S, P], float64, float32, float16 or bfloat16, on a CPU or CUDA device. Tensors
        that are not contiguous are copied first.
      w: [H, P], of the type of attn, as are all tensors.
      b: the bias [H], or None.
      residual: [B, S, H].

    Returns:
      y [B, S, H], contiguous, of the type and on the device of attn.

    Raises:
      ValueError: a wrong shape or device; it names the argument, what was expected and what
        was found.
      TypeError: another element type.
    """
    return _call_out_proj(attn, w, b, residual)
