"""What is measured: for each op a list of contenders, as functions on one set of tensors.

The first contender of each op, `floor`, is the bare product by cuBLAS, for which operands lie as cuBLAS wants
them: it computes less than the op. All others compute the whole op.
"""

import functools

import torch
import torch.nn.functional as F

import triton_gradients
import triton_kernels


def split(shape, packed):
    """[tokens, rows] to query, key, value in head layout, contiguous."""
    parts = packed.view(shape.batch, shape.tokens, -1, shape.head_dim).transpose(1, 2).split(
        [shape.heads, shape.kv_heads, shape.kv_heads], 1)
    return [part.contiguous() for part in parts]


class Case:
    """Tensors of one op on one shape, and the op in float32 or float64 to check against."""

    def __init__(self, op, shape, dtype, device="cuda"):
        s = self.shape = shape
        self.op, self.dtype = op, dtype
        self.t = s.batch * s.tokens

        def normal(*extents, scale=0.5):
            return (torch.randn(*extents, device=device) * scale).to(dtype)

        def poisoned(*extents):
            return torch.full(extents, float("nan"), device=device, dtype=dtype)

        b, n, d = s.batch, s.tokens, s.head_dim
        if op == "fused_qkv":
            self.inputs = {"input": normal(b, n, s.hidden), "weight": normal(s.rows, s.hidden, scale=0.05)}
            self.outputs = {"query": poisoned(b, s.heads, n, d), "key": poisoned(b, s.kv_heads, n, d),
                            "value": poisoned(b, s.kv_heads, n, d)}
        elif op == "fused_qkv_grad":
            self.inputs = {"d_query": normal(b, s.heads, n, d), "d_key": normal(b, s.kv_heads, n, d),
                           "d_value": normal(b, s.kv_heads, n, d), "input": normal(b, n, s.hidden),
                           "weight": normal(s.rows, s.hidden, scale=0.05)}
            self.outputs = {"d_input": poisoned(b, n, s.hidden), "d_weight": poisoned(s.rows, s.hidden)}
        elif op == "out_proj_residual":
            self.inputs = {"attn": normal(b, n, s.width), "weight": normal(s.hidden, s.width, scale=0.05)}
            self.outputs = {"output": poisoned(b, n, s.hidden)}
        else:
            self.inputs = {"d_output": normal(b, n, s.hidden), "attn": normal(b, n, s.width),
                           "weight": normal(s.hidden, s.width, scale=0.05)}
            self.outputs = {"d_attn": poisoned(b, n, s.width), "d_weight": poisoned(s.hidden, s.width)}
        if s.bias:
            rows = s.rows if "qkv" in op else s.hidden
            if "grad" in op:
                self.outputs["d_bias"] = poisoned(rows)
            else:
                self.inputs["bias"] = normal(rows)
        if op == "out_proj_residual":
            self.inputs["residual"] = normal(b, n, s.hidden)

    def bytes(self):
        """Each input read once, each output written once."""
        return sum(x.nbytes for x in (*self.inputs.values(), *self.outputs.values()))

    def flat_gradient(self):
        """The gradient of the packed projection, [tokens, rows]."""
        if self.op == "out_proj_residual_grad":
            return self.inputs["d_output"].view(self.t, -1)
        return torch.cat([self.inputs[name].transpose(1, 2).reshape(self.t, -1)
                          for name in ("d_query", "d_key", "d_value")], 1)

    def reference(self, dtype=torch.float32):
        high = {name: x.to(dtype) for name, x in self.inputs.items()}
        if self.op == "fused_qkv":
            return split(self.shape, F.linear(high["input"], high["weight"], high.get("bias")))
        if self.op == "out_proj_residual":
            return [F.linear(high["attn"], high["weight"], high.get("bias")) + high["residual"]]
        gradient = self.flat_gradient().to(dtype)
        first = self.inputs["input" if self.op == "fused_qkv_grad" else "attn"]
        results = [(gradient @ high["weight"]).view(first.shape),
                   gradient.t() @ first.to(dtype).view(self.t, -1)]
        return results + ([gradient.sum(0)] if self.shape.bias else [])


#===------------------------------------------------------------------------===#
# PyTorch
#===------------------------------------------------------------------------===#

def floor(case):
    i = case.inputs
    if "grad" not in case.op:
        x = i["input" if case.op == "fused_qkv" else "attn"].view(case.t, -1)
        weight = i["weight"].t()
        return lambda: [torch.mm(x, weight)]
    gradient = case.flat_gradient().contiguous()
    x = i["input" if case.op == "fused_qkv_grad" else "attn"].view(case.t, -1)
    return lambda: [torch.mm(gradient, i["weight"]), torch.mm(gradient.t(), x)]


def _qkv(shape, x, w, b=None):
    return split(shape, F.linear(x, w, b))


def _out(shape, x, w, r, b=None):
    return [F.linear(x, w, b) + r]


def _gradients(shape, w, x, *upstream):
    tokens = shape.batch * shape.tokens
    if len(upstream) == 3:
        gradient = torch.cat([g.transpose(1, 2).reshape(tokens, -1) for g in upstream], 1)
    else:
        gradient = upstream[0].view(tokens, -1)
    results = [torch.mm(gradient, w).view(x.shape), torch.mm(gradient.t(), x.view(tokens, -1))]
    return results + ([gradient.sum(0)] if shape.bias else [])


def _torch_call(case):
    """A function of a shape and tensors, and the tensors."""
    i = case.inputs
    if case.op == "fused_qkv":
        return _qkv, (i["input"], i["weight"], i.get("bias"))
    if case.op == "out_proj_residual":
        return _out, (i["attn"], i["weight"], i["residual"], i.get("bias"))
    if case.op == "fused_qkv_grad":
        return _gradients, (i["weight"], i["input"], i["d_query"], i["d_key"], i["d_value"])
    return _gradients, (i["weight"], i["attn"], i["d_output"])


def eager(case):
    function, arguments = _torch_call(case)
    return lambda: function(case.shape, *arguments)


@functools.lru_cache(maxsize=1)
def _compile(function, op, shape):
    """One for all sets of tensors of an op and shape; what cannot be compiled as a whole, or not once for all, fails."""
    torch._dynamo.reset()
    torch._dynamo.config.error_on_recompile = True
    return torch.compile(functools.partial(function, shape), mode="max-autotune-no-cudagraphs", dynamic=False,
                         fullgraph=True)


def compiled(case):
    function, arguments = _torch_call(case)
    tuned = _compile(function, case.op, case.shape)
    return lambda: tuned(*arguments)


#===------------------------------------------------------------------------===#
# cuBLAS and cuBLASLt
#===------------------------------------------------------------------------===#

def library_fused(case):
    """The product with the epilogue that cuBLASLt has (bias, or the residual as C), then one pass for the rest."""
    i, s = case.inputs, case.shape
    if case.op == "fused_qkv":
        x, w = i["input"].view(case.t, -1), i["weight"].t()
        packed = torch.empty(case.t, s.rows, device="cuda", dtype=case.dtype)

        def run():
            if s.bias:
                torch.addmm(i["bias"], x, w, out=packed)
            else:
                torch.mm(x, w, out=packed)
            triton_kernels.split_heads(packed, *case.outputs.values(), s)
            return list(case.outputs.values())
        return run
    if case.op == "out_proj_residual":
        x, w = i["attn"].view(case.t, -1), i["weight"].t()
        residual, out = i["residual"].view(case.t, -1), case.outputs["output"]

        def run():
            addend = residual + i["bias"] if s.bias else residual
            torch.addmm(addend, x, w, out=out.view(case.t, -1))
            return [out]
        return run
    return None


def strided_batched(case):
    """One product for each batch and head, straight into the head layout."""
    if case.op != "fused_qkv" or case.shape.bias or case.shape.tokens == 1:
        return None
    s, i = case.shape, case.inputs
    first, products = 0, []
    for out, heads in zip(case.outputs.values(), (s.heads, s.kv_heads, s.kv_heads)):
        weight = i["weight"][first:first + heads * s.head_dim].view(1, heads, s.head_dim, s.hidden)
        first += heads * s.head_dim
        for batch in range(s.batch):
            x = i["input"][batch].expand(heads, -1, -1)
            products.append((x, weight[0].transpose(1, 2), out[batch]))

    def run():
        for x, w, out in products:
            torch.bmm(x, w, out=out)
        return list(case.outputs.values())
    return run


def triton_fused(case):
    return triton_gradients.bind(case) if "grad" in case.op else triton_kernels.bind(case)


def generated(modules):
    def make(case):
        module = modules(case)
        call = module.bind(case.op, ordered(case), list(case.outputs.values()))

        def run():
            call()
            return list(case.outputs.values())
        return run
    return make


def ordered(case):
    """Inputs in the order of the function's arguments."""
    order = {"fused_qkv": ("input", "weight", "bias"),
             "fused_qkv_grad": ("d_query", "d_key", "d_value", "input", "weight"),
             "out_proj_residual": ("attn", "weight", "bias", "residual"),
             "out_proj_residual_grad": ("d_output", "attn", "weight")}[case.op]
    return [case.inputs[name] for name in order if name in case.inputs]
