# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Training steps of Llama-shaped models: as transformers has them, fused, and compiled.

    python benchmarks/torch/train_step.py --json steps.json --curve curve.png

For each shape and way: the median time of a forward and a backward pass, and the peak of
memory. First the losses and gradients of all ways are compared, and nothing is timed that
is wrong. Random weights and tokens; attention by PyTorch's scaled_dot_product_attention.
--curve also trains a small model for 200 steps each way and draws the losses.
"""

import argparse
import copy
import gc
import json
import statistics
import time

import torch
import transformers

import boostr.torch

# name: (layers, hidden, intermediate, heads, key/value heads, batch, tokens)
SHAPES = {
    "cuda": {
        "Llama-3-8B widths, 2 layers": (2, 4096, 14336, 32, 8, 4, 2048),
        "Qwen2.5-7B widths, 2 layers": (2, 3584, 18944, 28, 4, 4, 2048),
        "Llama-3.2-1B widths, 8 layers": (8, 2048, 8192, 32, 8, 4, 1024),
    },
    "cpu": {
        "1024 wide, 2 layers": (2, 1024, 2816, 16, 4, 2, 256),
        "Qwen2.5-0.5B widths, 2 layers": (2, 896, 4864, 14, 2, 2, 256),
    },
}
VOCABULARY = 4096


def make(shape, device, dtype):
    layers, hidden, intermediate, heads, kv_heads, *_ = shape
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=intermediate,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        max_position_embeddings=8192)
    return transformers.LlamaForCausalLM(config).to(device=device, dtype=dtype)


def ways(model, has_inductor):
    """Pairs of a name and what makes the model of it, from a copy of the model."""
    def fused():
        result = copy.deepcopy(model)
        boostr.torch.fuse(result)
        return result

    def compiled(source):
        def make_one():
            torch._dynamo.reset()
            return torch.compile(source(), dynamic=False)
        return make_one

    def found():
        boostr.torch.enable_inductor()
        return compiled(lambda: copy.deepcopy(model))()

    yield "eager", lambda: copy.deepcopy(model)
    yield "eager, fuse", fused
    if has_inductor:
        yield "torch.compile", compiled(lambda: copy.deepcopy(model))
        yield "torch.compile, fuse", compiled(fused)
        yield "torch.compile, enable_inductor", found


def step(model, ids):
    model.zero_grad(set_to_none=True)
    loss = model(ids, labels=ids, use_cache=False).loss
    loss.backward()
    return loss


def embedding_gradient(model):
    return model.get_input_embeddings().weight.grad.float()


def peak_on_cpu(model, ids):
    """Bytes of the parameters and of what a step has at most beside them."""
    model.zero_grad(set_to_none=True)
    gc.collect()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU],
                                profile_memory=True) as profile:
        step(model, ids)
    events, stack = [], list(profile.profiler.kineto_results.experimental_event_tree())
    while stack:
        event = stack.pop()
        stack.extend(event.children)
        if event.tag.name == "Allocation":
            events.append((event.start_time_ns, event.extra_fields.alloc_size))
    now = peak = 0
    for _, size in sorted(events, key=lambda event: event[0]):
        now += size
        peak = max(peak, now)
    return peak + sum(p.nbytes for p in model.parameters())


def measure(model, ids, repeat):
    """Milliseconds of a step, and MiB at its peak."""
    is_cuda = ids.is_cuda
    for _ in range(3):
        step(model, ids)
    gc.collect()  # Of the models before, which would count.
    if is_cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        step(model, ids)
        if is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() if is_cuda else peak_on_cpu(model, ids)
    return statistics.median(times) * 1e3, peak / 2**20


def benchmark(name, shape, options):
    device, dtype = options.device, getattr(torch, options.dtype)
    model = make(shape, device, dtype)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, VOCABULARY, shape[5:], generator=generator).to(device)
    rows, expected = [], None
    for way, make_one in ways(model, not options.no_inductor):
        one = make_one()
        loss = step(one, ids).item()
        gradient = embedding_gradient(one)
        expected = expected or (loss, gradient)
        loss_error = abs(loss - expected[0]) / abs(expected[0])
        gradient_error = ((gradient - expected[1]).norm() / expected[1].norm()).item()
        # Two roundings of bfloat16 may differ in each layer.
        limit = 0.05 if dtype == torch.bfloat16 else 1e-3
        if not (loss_error < limit and gradient_error < limit):
            raise SystemExit(f"{name}, {way}: expected the loss and gradient of eager, got "
                             f"relative errors {loss_error:.2g} and {gradient_error:.2g}")
        milliseconds, peak = measure(one, ids, options.repeat)
        rows.append({"shape": name, "way": way, "ms": milliseconds, "peak_mib": peak,
                     "loss_error": loss_error, "gradient_error": gradient_error,
                     "speedup": rows[0]["ms"] / milliseconds if rows else 1.0})
        print(f"{name:32} {way:32} {milliseconds:9.2f} ms {rows[-1]['speedup']:6.3f} x "
              f"{peak:8.1f} MiB   gradient {gradient_error:.1e}", flush=True)
        del one
        boostr.torch.disable_inductor()
    return rows


def curve(options):
    """Losses of 200 steps, by way."""
    dtype = getattr(torch, options.dtype)
    losses = {}
    for way in ("eager", "fuse"):
        model = make((2, 256, 688, 8, 4), options.device, torch.float32)
        if way == "fuse":
            boostr.torch.fuse(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(2)
        losses[way] = []
        for _ in range(200):
            start = torch.randint(0, 512, (8, 1), generator=generator)
            ids = ((start + 17 * torch.arange(64)) % 512).to(options.device)
            with torch.autocast(options.device, dtype, enabled=dtype != torch.float32):
                loss = model(ids, labels=ids, use_cache=False).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[way].append(loss.item())
    return losses


def draw(losses, path, options):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (way, values), style in zip(losses.items(), ("-", "--")):
        axes.plot(values, style, label=way)
    axes.set(xlabel="step", ylabel="loss", yscale="log",
             title=f"Two-layer Llama, {options.dtype}, {options.name}")
    axes.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu",
                        choices=["cpu", "cuda"])
    parser.add_argument("--dtype", help="bfloat16 (default on cuda) or float32 (on cpu)")
    parser.add_argument("--repeat", type=int, default=15, help="steps to take the median of")
    parser.add_argument("--no-inductor", action="store_true", help="leave out torch.compile")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--curve", help="where to draw the losses of 200 steps (.png)")
    options = parser.parse_args()
    options.dtype = options.dtype or ("bfloat16" if options.device == "cuda" else "float32")
    options.name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    print(f"{options.name}, {options.dtype}, torch {torch.__version__}, transformers "
          f"{transformers.__version__}, boostr {boostr.__version__}", flush=True)
    rows = []
    for name, shape in SHAPES[options.device].items():
        rows += benchmark(name, shape, options)
    result = {"device": options.name, "dtype": options.dtype, "torch": torch.__version__,
              "steps": rows}
    if options.curve:
        losses = curve(options)
        draw(losses, options.curve, options)
        result["curve"] = losses
        worst = max(abs(a - b) for a, b in zip(*losses.values()))
        print(f"200 steps: last losses {[v[-1] for v in losses.values()]}, largest difference {worst:.3g}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
