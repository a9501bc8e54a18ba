# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""enable_inductor: projections that torch.compile finds in graphs."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import boostr.torch as bt
from boostr.torch import _inductor


# Parts of them are found there too, but how many depends on where the graphs break.
in_one_graph = pytest.mark.skipif(torch.__version__ < "2.5", reason="models of transformers do not "
                                  "compile in one graph with PyTorch older than 2.5")


class Separate(torch.nn.Module):
    """Three linears of one input."""

    def __init__(self, heads=4, kv_heads=2, dim=16, bias=True):
        super().__init__()
        self.dim = dim
        self.q = torch.nn.Linear(64, heads * dim, bias=bias)
        self.k = torch.nn.Linear(64, kv_heads * dim, bias=bias)
        self.v = torch.nn.Linear(64, kv_heads * dim, bias=bias)
        self.o = torch.nn.Linear(heads * dim, 64, bias=bias)

    def heads(self, x):
        shape = (*x.shape[:2], -1, self.dim)
        return [p(x).view(shape).transpose(1, 2) for p in (self.q, self.k, self.v)]

    def forward(self, x):
        query, key, value = self.heads(x)
        # PyTorch 2.4 has no enable_gqa.
        key, value = (t.repeat_interleave(query.shape[1] // t.shape[1], dim=1)
                      for t in (key, value))
        y = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return x + self.o(y.transpose(1, 2).flatten(2))


class Wide(Separate):
    """One linear, split."""

    def __init__(self):
        super().__init__(kv_heads=4)
        self.qkv = torch.nn.Linear(64, 192)

    def heads(self, x):
        parts = self.qkv(x).split(64, dim=-1)
        return [p.reshape(*x.shape[:2], 4, 16).permute(0, 2, 1, 3) for p in parts]


class Watched(Separate):
    """A projection that someone else reads too."""

    def heads(self, x):
        query, key, value = super().heads(x)
        return query + self.q(x).mean(), key, value


class OneBias(Separate):
    """Of the three linears, one has a bias."""

    def __init__(self):
        super().__init__(bias=False)
        self.k.bias = torch.nn.Parameter(torch.randn(32))


class Normalized(Separate):
    """A weight that is computed, behind the first of the three linears."""

    def heads(self, x):
        shape = (*x.shape[:2], -1, self.dim)
        query = self.q(x).view(shape).transpose(1, 2)
        key = torch.nn.functional.linear(x, self.k.weight / query.mean(), self.k.bias)
        return query, key.view(shape).transpose(1, 2), self.v(x).view(shape).transpose(1, 2)


@pytest.fixture(autouse=True)
def inductor():
    torch._dynamo.reset()
    torch.manual_seed(0)
    bt.enable_inductor()
    bt.enable_inductor()  # Twice is once.
    yield
    bt.disable_inductor()
    assert torch._inductor.config.pre_grad_custom_pass is None


def capture(module, *inputs, copies_weights=False, result_of=lambda y: y, dynamic=True):
    """The ops that are found; the graph runs without inductor's code generation."""
    ops = []

    def backend(graph_module, example_inputs):
        _inductor._Rewriter(graph_module.graph, copies_weights).run()
        graph_module.recompile()
        ops.extend(str(n.target) for n in graph_module.graph.nodes
                   if "boostr" in str(n.target))
        return graph_module.forward

    compiled = torch.compile(module, backend=backend, fullgraph=True, dynamic=dynamic)
    result, expected = result_of(compiled(*inputs)), result_of(module(*inputs))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    return ops


QKV, OUT_PROJ = "boostr.fused_qkv.default", "boostr.out_proj_residual.default"
SEPARATE = "boostr.fused_qkv_separate.default"


@pytest.mark.parametrize("make, expected", [
    (Wide, [QKV, OUT_PROJ]),
    (Separate, [SEPARATE, OUT_PROJ]),
    (lambda: Separate(bias=False), [SEPARATE, OUT_PROJ]),
    (lambda: Separate(kv_heads=4), [SEPARATE, OUT_PROJ]),
    (Watched, [SEPARATE, OUT_PROJ]),
    (OneBias, [OUT_PROJ]),
    (Normalized, [OUT_PROJ]),
])
def test_what_is_found(make, expected):
    assert capture(make(), torch.randn(2, 5, 64)) == expected


class Dropout(Separate):
    """A dropout between the projection and the residual."""

    def __init__(self, p=0.5):
        super().__init__()
        self.dropout = torch.nn.Dropout(p)

    def forward(self, x):
        return self.dropout(self.o(x)) + x


@pytest.mark.parametrize("module, expected", [
    (Dropout().eval(), [OUT_PROJ]), (Dropout(p=0.0), [OUT_PROJ]), (Dropout(), [])])
def test_dropout_before_the_residual(module, expected):
    result_of = (lambda y: y) if expected else (lambda y: y.shape)
    assert capture(module, torch.randn(2, 5, 64), result_of=result_of, dynamic=None) == expected


TOKENS = {"vocab_size": 101, "bos_token_id": 1, "eos_token_id": 2}


@in_one_graph
@pytest.mark.parametrize("name, copies_weights, expected", [
    # In each of two layers attention and MLP add to the residual stream.
    ("bert", False, {SEPARATE: 2, OUT_PROJ: 4}),
    ("llama", False, {SEPARATE: 2, OUT_PROJ: 4}),
    ("qwen2", False, {SEPARATE: 2, OUT_PROJ: 4}),
    ("gpt2", False, {}),  # Conv1D has its weights the other way round.
    ("gpt2", True, {QKV: 2, OUT_PROJ: 4}),
])
def test_models_of_transformers(name, copies_weights, expected):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    wide = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 4, **TOKENS}
    model = {
        "bert": lambda t: t.BertModel(t.BertConfig(**wide)),
        "llama": lambda t: t.LlamaModel(t.LlamaConfig(num_key_value_heads=2, **wide)),
        "qwen2": lambda t: t.Qwen2Model(t.Qwen2Config(num_key_value_heads=2, **wide)),
        "gpt2": lambda t: t.GPT2Model(t.GPT2Config(n_embd=64, n_layer=2, n_head=4, **TOKENS)),
    }[name](transformers).eval()
    ids = torch.randint(0, 101, (2, 150))
    ops = capture(model, ids, copies_weights=copies_weights,
                  result_of=lambda y: y.last_hidden_state)
    assert {op: ops.count(op) for op in set(ops)} == expected


def saved_bytes(model, ids, rewrite):
    """What a compiled forward pass keeps for the backward one, beside parameters."""
    def backend(graph_module, example_inputs):
        if rewrite:
            rewriter = _inductor._Rewriter(graph_module.graph)
            assert rewriter.run()
            graph_module.recompile()
        # The partition of forward and backward that inductor has, without its code.
        return torch._dynamo.lookup_backend("aot_eager_decomp_partition")(graph_module,
                                                                          example_inputs)

    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend, dynamic=False)
    compiled(ids, labels=ids)  # What it is traced with has no storage.
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = compiled(ids, labels=ids).loss  # Keeps what is saved.
    assert result.requires_grad
    return sum(size for pointer, size in storages.items() if pointer not in own)


# Widths in the proportions of Qwen2.5-7B.
LLAMA = {"hidden_size": 56, "intermediate_size": 296, "num_hidden_layers": 2,
         "num_attention_heads": 7, "num_key_value_heads": 1, **TOKENS}
BERT = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2,
        "num_attention_heads": 4, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        **TOKENS}


@in_one_graph
@pytest.mark.parametrize("kind, options", [
    ("LlamaForCausalLM", LLAMA), ("Qwen2ForCausalLM", LLAMA), ("BertForMaskedLM", BERT)])
def test_no_more_is_kept_for_the_backward_pass(kind, options):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model_class = getattr(transformers, kind)
    model = model_class(model_class.config_class(**options))
    ids = torch.randint(0, 101, (2, 128))
    without = saved_bytes(model, ids, rewrite=False)
    # A number for each token may be more: a mean, for what was subtracted from it.
    assert 0 < saved_bytes(model, ids, rewrite=True) <= 1.005 * without


@in_one_graph
@pytest.mark.parametrize("kind", ["LlamaForCausalLM", "Qwen2ForCausalLM"])
def test_same_loss_and_gradients(kind):
    """Of a whole model and every parameter, compiled by inductor with the pass switched on."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model_class = getattr(transformers, kind)
    model = model_class(model_class.config_class(**LLAMA))
    ids = torch.randint(0, 101, (2, 20))
    before = torch._inductor.config.pre_grad_custom_pass.count
    outcomes = []
    for run in (model, torch.compile(model, dynamic=False)):
        loss = run(ids, labels=ids).loss
        outcomes.append((loss, torch.autograd.grad(loss, list(model.parameters()))))
    # In each of two layers query, key and value, and two residuals.
    assert torch._inductor.config.pre_grad_custom_pass.count - before == 6
    torch.testing.assert_close(*[loss for loss, _ in outcomes], rtol=1e-5, atol=1e-6)
    for theirs, ours in zip(*[gradients for _, gradients in outcomes]):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="copy_weights: expected a bool, got int"):
        bt.enable_inductor(copy_weights=1)


def test_other_users_are_respected():
    class Shared(Separate):
        def forward(self, x):
            projected = self.q(x)
            return projected + x, projected

    assert capture(Shared(), torch.randn(2, 200, 64)) == []


def test_other_types_are_left():
    assert capture(torch.nn.Sequential(torch.nn.Linear(8, 8)).double(),
                   torch.randn(2, 3, 8).double()) == []


def test_through_inductor():
    module, x = Separate(), torch.randn(2, 200, 64)
    compiled = torch.compile(module, dynamic=True)
    counted = torch._inductor.config.pre_grad_custom_pass
    parameters = list(module.parameters())
    expected = torch.autograd.grad(module(x).square().mean(), parameters)
    found = torch.autograd.grad(compiled(x).square().mean(), parameters)
    assert counted.count == 2
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    other = torch.randn(2, 211, 64)
    torch.testing.assert_close(compiled(other), module(other), rtol=1e-4, atol=1e-5)
    assert counted.count == 2
