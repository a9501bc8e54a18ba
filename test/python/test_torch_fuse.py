# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""fuse: models of the package transformers, before and after."""

import copy
import gc
import io
import sys
import weakref

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import boostr.torch as bt
from boostr.torch import _fuse

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 101,
         "bos_token_id": 1, "eos_token_id": 2}
BERT = {**SMALL, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
del BERT["num_key_value_heads"]
GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 101, "bos_token_id": 1,
        "eos_token_id": 2, "resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}
MODELS = {
    "llama": lambda t: t.LlamaForCausalLM(t.LlamaConfig(**SMALL)),
    "qwen2": lambda t: t.Qwen2ForCausalLM(t.Qwen2Config(**SMALL)),
    "mistral": lambda t: t.MistralForCausalLM(t.MistralConfig(**SMALL)),
    "gpt2": lambda t: t.GPT2LMHeadModel(t.GPT2Config(**GPT2)),
    "bert": lambda t: t.BertForMaskedLM(t.BertConfig(**BERT)),
}


def make(name):
    torch.manual_seed(0)
    model = MODELS[name](transformers).to(DEVICE)
    return model, copy.deepcopy(model)


def tokens(length=17):
    return torch.randint(0, 101, (2, length), generator=torch.Generator().manual_seed(0)).to(DEVICE)


class Calls:
    """How often the fused ops run."""

    def __init__(self, monkeypatch):
        self.qkv = self.out_proj = 0
        qkv, out_proj = _fuse.fused_qkv, _fuse.out_proj_residual

        def count_qkv(*arguments, **options):
            self.qkv += 1
            return qkv(*arguments, **options)

        def count_out_proj(*arguments, **options):
            self.out_proj += 1
            return out_proj(*arguments, **options)

        monkeypatch.setattr(_fuse, "fused_qkv", count_qkv)
        monkeypatch.setattr(_fuse, "out_proj_residual", count_out_proj)


# Which go with PyTorch 2.4; their GPT-2 blocks return tuples, and do not compile in one graph.
IS_OLD = tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 17)
in_newer_transformers = pytest.mark.skipif(IS_OLD, reason="transformers is older than 5.17")


@pytest.mark.parametrize("name", [pytest.param(name, marks=in_newer_transformers if name == "gpt2"
                                               else ()) for name in MODELS])
def test_same_loss_and_gradients(name, monkeypatch):
    model, fused = make(name)
    report = bt.fuse(fused)
    assert len(report.changed) == 4 and not [entry for entry in report.left if "cross" in entry[1]]
    calls, ids = Calls(monkeypatch), tokens()
    losses = [m(ids, labels=ids).loss for m in (model, fused)]
    assert (calls.qkv, calls.out_proj) == (2, 2)
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    # Packed weights have packed gradients, so those of embeddings speak for all behind.
    ours, theirs = [m.get_input_embeddings().weight.grad for m in (fused, model)]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_state_dicts_keep_their_form(name):
    model, fused = make(name)
    bt.fuse(fused)
    before, after = model.state_dict(), fused.state_dict()
    assert before.keys() == after.keys()
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, rtol=0, atol=0)
    changed = {key: value + 1 for key, value in before.items()}
    assert not any(fused.load_state_dict(changed))
    for key, value in fused.state_dict().items():
        torch.testing.assert_close(value, changed[key], rtol=0, atol=0)


def test_fusing_twice():
    _, fused = make("llama")
    bt.fuse(fused)
    report = bt.fuse(fused)
    assert not report.changed and {why for _, why in report.left} == {"fused before"}


@pytest.mark.parametrize("name", MODELS)
def test_memory_is_freed_without_the_garbage_collector(name):
    _, fused = make(name)
    bt.fuse(fused)
    fused(tokens(), labels=tokens()).loss.backward()
    gc.collect()  # What making and running left behind.
    gc.disable()
    try:
        parameters = [weakref.ref(p) for p in fused.parameters()]
        del fused
        assert not any(p() is not None for p in parameters)
    finally:
        gc.enable()


def through_torch_save(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_torch_save])
@pytest.mark.parametrize("name", MODELS)
def test_copies_are_models_of_their_own(name, duplicate):
    _, fused = make(name)
    bt.fuse(fused)
    second = duplicate(fused)
    expected = fused(tokens()).logits
    with torch.no_grad():
        for parameter in fused.parameters():
            parameter.zero_()
    torch.testing.assert_close(second(tokens()).logits, expected, rtol=0, atol=0)


def test_copies_call_their_own_unfused_layers():
    config = transformers.GPT2Config(**{**GPT2, "resid_pdrop": 1.0})
    model = transformers.GPT2LMHeadModel(config).to(DEVICE).train()
    bt.fuse(model)
    second = copy.deepcopy(model)
    model.transformer.h[0].ln_1.register_forward_pre_hook(lambda *_: pytest.fail("the original"))
    second(tokens())


def test_layers_whose_forward_was_replaced_are_left():
    model, _ = make("llama")
    layer = model.model.layers[0]
    layer.forward = layer.forward  # As accelerate's hooks do.
    report = bt.fuse(model)
    assert dict(report.left)["model.layers.0"] == "its forward was replaced before"
    assert len(report.changed) == 3
    model(tokens())


def test_older_transformers_are_left(monkeypatch):
    model, _ = make("llama")
    monkeypatch.setattr(sys.modules["transformers"], "__version__", "4.57.3")
    report = bt.fuse(model)
    assert not report.changed and {why for _, why in report.left} == {
        "expected transformers 5 or newer, got 4.57.3"}


def test_layers_that_return_more_are_left(monkeypatch):
    model, _ = make("gpt2")
    block = type(model.transformer.h[0])
    monkeypatch.setitem(block.forward.__annotations__, "return", tuple)
    report = bt.fuse(model)
    assert dict(report.left)["transformer.h.1"] == (
        "it returns more than a tensor, as in older versions of transformers")
    assert [name for name, _ in report.changed] == ["transformer.h.0.attn", "transformer.h.1.attn"]
    model(tokens())


@pytest.mark.parametrize("name", MODELS)
def test_no_more_is_kept_for_the_gradients(name):
    def kept(model):
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        storages = {}

        def note(tensor):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            result = model(tokens(), labels=tokens()).loss  # Keeps what is saved.
        assert result.requires_grad
        return sum(size for pointer, size in storages.items() if pointer not in own)

    model, fused = make(name)
    bt.fuse(fused)
    assert 0 < kept(fused) <= kept(model)


def test_generation_with_a_cache():
    model, fused = make("llama")
    bt.fuse(fused)
    results = [m.eval().generate(tokens(), max_new_tokens=6, do_sample=False)
               for m in (model, fused)]
    assert torch.equal(*results)


def test_checkpointing():
    model, fused = make("llama")
    bt.fuse(fused)
    gradients = []
    for m in (model, fused):
        m.gradient_checkpointing_enable()
        m.train()(tokens(), labels=tokens()).loss.backward()
        gradients.append(m.get_input_embeddings().weight.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


@in_newer_transformers
def test_compiles_in_one_graph():
    model, fused = make("llama")
    bt.fuse(fused)
    compiled = torch.compile(fused, fullgraph=True, dynamic=True, backend="aot_eager")
    for length in (9, 17):
        torch.testing.assert_close(compiled(tokens(length)).logits, model(tokens(length)).logits)


@in_newer_transformers
def test_dropout_in_between_is_left(monkeypatch):
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**GPT2, "resid_pdrop": 0.5}))
    bt.fuse(model.to(DEVICE))
    calls = Calls(monkeypatch)
    model.train()(tokens())
    assert (calls.qkv, calls.out_proj) == (2, 0)
    model.eval()(tokens())
    assert (calls.qkv, calls.out_proj) == (4, 2)


def test_what_is_left_says_why():
    model, _ = make("llama")
    attention = model.model.layers[0].self_attn
    attention.q_proj.register_forward_hook(lambda *_: None)
    report = bt.fuse(model)
    left = dict(report.left)
    assert left["model.layers.0.self_attn"] == "a projection has hooks"
    assert left["model.layers.0"] == "its attention was left"
    assert "left    model.layers.0.self_attn: a projection has hooks" in str(report)
    other = torch.nn.Sequential(torch.nn.MultiheadAttention(8, 2))
    assert dict(bt.fuse(other).left) == {"0": "MultiheadAttention is not known"}
    with pytest.raises(TypeError, match="model: expected a torch.nn.Module, got int"):
        bt.fuse(3)


def test_training_follows_the_same_curve():
    model, fused = make("llama")
    bt.fuse(fused)
    curves = []
    for m in (model, fused):
        generator = torch.Generator().manual_seed(1)
        optimizer = torch.optim.AdamW(m.parameters(), lr=3e-3)
        losses = []
        for _ in range(40):
            start = torch.randint(0, 101, (4, 1), generator=generator)
            ids = ((start + torch.arange(16) * 7) % 101).to(DEVICE)  # A rule to be learnt.
            loss = m(ids, labels=ids).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(torch.tensor(losses))
    assert curves[0][-5:].mean() < 0.8 * curves[0][0]
    torch.testing.assert_close(*curves, rtol=2e-2, atol=2e-2)
