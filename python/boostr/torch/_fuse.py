# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`fuse`: fused projections in models of the package transformers.

A model's own attention code keeps running. What changes is below and above it:

- The query projection is replaced by one that computes query, key and value together, and
  the key and value projections by ones that hand over what it computed. They return views
  of the head layout [B, heads, S, D] shaped as the attention code will view them, so its
  transposition gives the contiguous tensors back.
- The output projection is replaced by one that adds the residual, which the layer around
  hands to it; of that layer, the few lines up to the residual are replaced.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import torch
from torch import Tensor, nn

from ._ops import fused_qkv, out_proj_residual


@dataclass
class FuseReport:
    """What `fuse` did: pairs of a module's name and words about it.

    changed: modules that were rewritten, and how.
    left: attention that was left as it is, and why.
    """

    changed: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"changed {name}: {what}" for name, what in self.changed]
        lines += [f"left    {name}: {why}" for name, why in self.left]
        return "\n".join(lines) or "found no attention"


class _NotFusable(Exception):
    """Why a module is left as it is."""


# ---------------------------------------------------------------------------------------
# Projections
# ---------------------------------------------------------------------------------------

def _weight(linear: Any) -> Tensor:
    """[out, in], also of transformers' Conv1D."""
    return linear.weight if isinstance(linear, nn.Linear) else linear.weight.t()


class _Packed(nn.Module):
    """What projections have in common that take the place of others: packed parameters
    here, those of the original modules in state dicts.

    sources: names of the original modules, from the parent of this one.
    """

    def __init__(self, sources: dict[str, Any], name: str):
        super().__init__()
        linears = list(sources.values())
        if len({(l.weight.dtype, l.weight.device) for l in linears}) > 1:
            raise _NotFusable("its weights differ in type or device")
        if len({l.bias is not None for l in linears}) > 1:
            raise _NotFusable("only some of its projections have a bias")
        if len({l.weight.requires_grad for l in linears}) > 1:
            raise _NotFusable("only some of its weights are trained")
        self._name = name
        self._sources = [(key, isinstance(l, nn.Linear), _weight(l).shape[0])
                         for key, l in sources.items()]
        weight = torch.cat([_weight(l).detach() for l in linears]).contiguous()
        self.weight = nn.Parameter(weight, requires_grad=linears[0].weight.requires_grad)
        self.bias = None
        if linears[0].bias is not None:
            self.bias = nn.Parameter(torch.cat([l.bias.detach() for l in linears]),
                                     requires_grad=linears[0].bias.requires_grad)

    def _keys(self, prefix: str, kind: str):
        parent = prefix[:len(prefix) - len(self._name) - 1]
        return [(f"{parent}{key}.{kind}", is_linear) for key, is_linear, _ in self._sources]

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for kind, parameter in (("weight", self.weight), ("bias", self.bias)):
            if parameter is None:
                continue
            parts = (parameter if keep_vars else parameter.detach()).split(
                [rows for *_, rows in self._sources])
            for (key, is_linear), part in zip(self._keys(prefix, kind), parts):
                destination[key] = part if is_linear or kind == "bias" else part.t()

    def attach(self, parent: nn.Module) -> None:
        """Takes the place of the original modules, in the parent and in what it loads."""
        setattr(parent, self._name, self)
        # Registered there, since a module is given what belongs to itself only.
        if hasattr(parent, "register_load_state_dict_pre_hook"):
            parent.register_load_state_dict_pre_hook(self._pack)
        else:  # PyTorch 2.4
            parent._register_load_state_dict_pre_hook(self._pack, with_module=True)

    def _pack(self, parent, state_dict, prefix, *_):
        prefix = f"{prefix}{self._name}."
        for kind in ("weight", "bias"):
            keys = self._keys(prefix, kind)
            if all(key in state_dict for key, _ in keys):
                parts = [(state_dict.pop(key), is_linear) for key, is_linear in keys]
                state_dict[prefix + kind] = torch.cat(
                    [part if is_linear or kind == "bias" else part.t()
                     for part, is_linear in parts])


class _Heads:
    """Query, key or value in the head layout, for code that views it as [B, S, heads, D]
    after reading the shape [B, S, heads * D]."""

    def __init__(self, heads: Tensor):
        self._heads = heads.transpose(1, 2)
        self.shape = torch.Size((*self._heads.shape[:2],
                                 self._heads.shape[2] * self._heads.shape[3]))

    def view(self, *shape) -> Tensor:
        shape = shape[0] if len(shape) == 1 else shape
        return self._heads.view(tuple(shape))


class _QueryKeyValue(_Packed):
    """The query projection, which computes key and value too."""

    def __init__(self, sources, name, num_heads, num_kv_heads, head_dim):
        super().__init__(sources, name)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self._key = self._value = None

    def project(self, x: Tensor):
        query, key, value = fused_qkv(x, self.weight, self.bias, num_heads=self.num_heads,
                                      num_kv_heads=self.num_kv_heads, head_dim=self.head_dim)
        # Attention writes its result as the query lies. With heads before tokens the output
        # projection would get a copy of that, and both would be kept for the gradients.
        return query.transpose(1, 2).contiguous().transpose(1, 2), key, value

    def forward(self, x: Tensor) -> Tensor:
        query, self._key, self._value = self.project(x)
        return query.transpose(1, 2)


class _HandedOver(nn.Module):
    """The key or value projection behind a _QueryKeyValue, which was called just before."""

    def __init__(self, owner: _QueryKeyValue, which: str):
        super().__init__()
        object.__setattr__(self, "_owner", owner)  # No submodule: it has a place already.
        self._which = which

    def forward(self, x: Tensor) -> Tensor:
        result = getattr(self._owner, self._which)
        setattr(self._owner, self._which, None)
        return result.transpose(1, 2)


class _Split:
    """What a packed projection returns, for code that splits it into three."""

    def __init__(self, parts):
        self._parts = parts

    def split(self, size, dim):
        return tuple(map(_Heads, self._parts))


class _SplitQueryKeyValue(_QueryKeyValue):
    """A packed projection."""

    def forward(self, x: Tensor):
        return _Split(self.project(x))


class _OutProjection(_Packed):
    """The output projection. Adds the residual if the layer around gave one."""

    def __init__(self, linear, name):
        super().__init__({name: linear}, name)
        self.residual: Optional[Tensor] = None

    def forward(self, attn: Tensor) -> Tensor:
        residual, self.residual = self.residual, None
        if residual is None:
            return torch.nn.functional.linear(attn, self.weight, self.bias)
        return out_proj_residual(attn, self.weight, self.bias, residual=residual)


# ---------------------------------------------------------------------------------------
# Layers, up to the residual
# ---------------------------------------------------------------------------------------

def _llama_layer(self, unfused, hidden_states, *arguments, **options):
    self.self_attn.o_proj.residual = hidden_states
    hidden_states, _ = self.self_attn(self.input_layernorm(hidden_states), *arguments, **options)
    return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


def _gpt2_block(self, unfused, hidden_states, *arguments, **options):
    is_dropped = self.training and self.attn.resid_dropout.p > 0
    if is_dropped or options.get("encoder_hidden_states") is not None:
        return unfused(self, hidden_states, *arguments, **options)
    self.attn.c_proj.residual = hidden_states
    hidden_states, _ = self.attn(self.ln_1(hidden_states), *arguments, **options)
    return hidden_states + self.mlp(self.ln_2(hidden_states))


def _bert_output(self, unfused, hidden_states, input_tensor):
    if self.training and self.dropout.p > 0:
        return unfused(self, hidden_states, input_tensor)
    self.dense.residual = input_tensor
    return self.LayerNorm(self.dense(hidden_states))


def _create(base: Any, forward: Callable) -> nn.Module:
    """An empty module of the class that `_replace_forward` makes; for copy and pickle."""
    kind = _derive(base, forward)
    return kind.__new__(kind)


@functools.cache
def _derive(base: Any, forward: Callable) -> Any:
    """The class of a layer with another `forward`, which gets the one of the class too."""
    unfused = base.forward

    def call(self, *arguments, **options):
        return forward(self, unfused, *arguments, **options)

    def reduce(self, protocol):
        # The class is in no module where pickle could find it.
        return _create, (base, forward), *base.__reduce_ex__(self, protocol)[2:]

    return type(base.__name__, (base,), {
        "__module__": base.__module__, "__doc__": base.__doc__, "forward": call,
        "__reduce_ex__": reduce})


def _replace_forward(module: nn.Module, forward: Callable) -> None:
    """Changes the class of this one module.

    A method that is stored in the module would refer back to it, so that a model and its
    memory would stay until the garbage collector comes by; and copies of the module would
    call the original.
    """
    if "forward" in vars(module):
        raise _NotFusable("its forward was replaced before")
    if inspect.signature(type(module).forward).return_annotation not in (
            torch.Tensor, "torch.Tensor", "Tensor"):
        raise _NotFusable("it returns more than a tensor, as in older versions of transformers")
    base: Any = type(module)
    module.__class__ = _derive(base, forward)


# ---------------------------------------------------------------------------------------
# Families of models
# ---------------------------------------------------------------------------------------

def _check_linears(*linears) -> None:
    for linear in linears:
        # Anything else has a reason: adapters, quantized or sharded weights.
        if type(linear) is not nn.Linear and type(linear).__name__ != "Conv1D":
            raise _NotFusable(f"a projection is no plain Linear but {type(linear).__name__}")
        if linear._forward_hooks or linear._forward_pre_hooks:
            raise _NotFusable("a projection has hooks")


def _fuse_separate(attention, names, num_heads, num_kv_heads, head_dim) -> None:
    linears = {name: getattr(attention, name) for name in names}
    _check_linears(*linears.values())
    owner = _QueryKeyValue(linears, names[0], num_heads, num_kv_heads, head_dim)
    owner.attach(attention)
    setattr(attention, names[1], _HandedOver(owner, "_key"))
    setattr(attention, names[2], _HandedOver(owner, "_value"))


def _llama_attention(attention) -> str:
    config = attention.config
    _check_linears(attention.o_proj)
    _fuse_separate(attention, ("q_proj", "k_proj", "v_proj"), config.num_attention_heads,
                   config.num_key_value_heads, attention.head_dim)
    _OutProjection(attention.o_proj, "o_proj").attach(attention)
    return "query, key and value as one op; output projection"


def _llama_decoder(layer) -> str:
    if not isinstance(layer.self_attn.o_proj, _OutProjection):
        raise _NotFusable("its attention was left")
    _replace_forward(layer, _llama_layer)
    return "residual added by the output projection"


def _gpt2_attention(attention) -> str:
    if attention.is_cross_attention:
        raise _NotFusable("key and value come from another input than the query")
    _check_linears(attention.c_attn, attention.c_proj)
    _SplitQueryKeyValue({"c_attn": attention.c_attn}, "c_attn", attention.num_heads,
                        attention.num_heads, attention.head_dim).attach(attention)
    _OutProjection(attention.c_proj, "c_proj").attach(attention)
    return "query, key and value as one op; output projection"


def _gpt2_layer(block) -> str:
    if not isinstance(block.attn.c_proj, _OutProjection):
        raise _NotFusable("its attention was left")
    _replace_forward(block, _gpt2_block)
    return "residual added by the output projection, unless dropout comes between"


def _bert_attention(attention) -> str:
    heads = attention.num_attention_heads
    _fuse_separate(attention, ("query", "key", "value"), heads, heads,
                   attention.attention_head_size)
    return "query, key and value as one op"


def _bert_self_output(output) -> str:
    _check_linears(output.dense)
    _replace_forward(output, _bert_output)
    _OutProjection(output.dense, "dense").attach(output)
    return "residual added by the output projection, unless dropout comes between"


# By the name of the class: what rewrites a module of it.
_REWRITERS: dict[str, Callable[[nn.Module], str]] = {
    "BertSelfAttention": _bert_attention,
    "BertSelfOutput": _bert_self_output,
    "GPT2Attention": _gpt2_attention,
    "GPT2Block": _gpt2_layer,
    "LlamaAttention": _llama_attention,
    "LlamaDecoderLayer": _llama_decoder,
    "MistralAttention": _llama_attention,
    "MistralDecoderLayer": _llama_decoder,
    "Qwen2Attention": _llama_attention,
    "Qwen2DecoderLayer": _llama_decoder,
}


def _check_version(module: nn.Module) -> None:
    """Older classes of these names do other things, such as cross attention."""
    package, *_ = type(module).__module__.split(".")
    version = getattr(sys.modules[package], "__version__", "")
    if package == "transformers" and int(version.split(".")[0]) < 5:
        raise _NotFusable(f"expected transformers 5 or newer, got {version}")


def fuse(model: nn.Module) -> FuseReport:
    """Rewrites the attention projections of a transformers model in place.

    Known are Llama, Qwen2, Mistral, GPT-2 and BERT of transformers 5, and models of their
    classes, such as the encoders of sentence-transformers. State dicts keep the names and layouts of the original
    model, for saving and loading. Parameters are new (packed) ones: make the optimizer after
    this. Fusing twice does nothing more.

    Arguments:
      model: a model, or any module with some of the known classes in it. Its weights are
        float64, float32, float16 or bfloat16.

    Returns:
      A report of what was changed, and what was left and why; print it.

    Raises:
      TypeError: `model` is no torch.nn.Module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    report = FuseReport()
    # Attention before the layers around, which look at what became of it.
    modules = sorted(model.named_modules(), key=lambda entry: -entry[0].count("."))
    for name, module in modules:
        kind = type(module).__name__
        rewrite = _REWRITERS.get(kind)
        if rewrite is None:
            if kind.endswith(("Attention", "SelfOutput")) and not any(
                    type(child).__name__ in _REWRITERS for child in module.children()):
                report.left.append((name, f"{kind} is not known"))
            continue
        if getattr(module, "_boostr_fused", False):
            report.left.append((name, "fused before"))
            continue
        try:
            _check_version(module)
            report.changed.append((name, rewrite(module)))
            module._boostr_fused = True
        except _NotFusable as reason:
            report.left.append((name, str(reason)))
    return report
