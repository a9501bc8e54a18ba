"""The pictures of report.py: time against tokens, and the roofline."""

from statistics import median

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

MODELS = {"llama3-8b": "Llama-3-8B", "gpt2-medium": "GPT-2 medium", "qwen2.5-7b": "Qwen2.5-7B", "minilm": "MiniLM"}
COLORS = {"f32": "tab:blue", "bf16": "tab:orange"}
OP_MARKERS = {"fused_qkv": "o", "fused_qkv_grad:input": "^", "fused_qkv_grad:weight": "v",
              "fused_qkv_grad:weight+bias": "v", "out_proj_residual": "s"}


def times(cases, op, model, element, contender):
    """Tokens and milliseconds, by tokens."""
    points = sorted((case.tokens, case.time(contender) * 1e3) for case in cases.values()
                    if (case.op, case.model, case.type) == (op, model, element) and contender in case.contenders)
    return [tokens for tokens, _ in points], [time for _, time in points]


def draw_times(axes, cases, model, low, high):
    for element, color in COLORS.items():
        for contender, style in (("boostr", {"linestyle": "-", "marker": ".", "markersize": 4}),
                                 ("onednn", {"linestyle": "", "marker": "x"}),
                                 ("openblas", {"linestyle": "", "marker": "+", "markersize": 9})):
            tokens, values = times(cases, "fused_qkv", model, element, contender)
            inside = [(t, v) for t, v in zip(tokens, values) if low <= t <= high]
            if inside:
                name = {"boostr": "ours, whole op", "onednn": "oneDNN, product", "openblas": "OpenBLAS, product"}
                axes.plot(*zip(*inside), color=color, label=f"{element} {name[contender]}", **style)
    axes.set_xlabel("tokens")
    axes.set_ylabel("ms")
    axes.grid(True, which="both", alpha=0.25)


def tokens_picture(cases, path):
    figure, panels = pyplot.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    for column, model in enumerate(("llama3-8b", "gpt2-medium")):
        whole, zoom = panels[0][column], panels[1][column]
        draw_times(whole, cases, model, 1, 2048)
        whole.set_xscale("log", base=2)
        whole.set_yscale("log")
        whole.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1024"])
        whole.set_title(f"fused_qkv, {MODELS[model]}")
        if whole.lines:
            whole.legend(fontsize=8)
        draw_times(zoom, cases, model, 16, 130)
        zoom.set_ylim(bottom=0)
        zoom.set_title("16 to 130 tokens")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def machine(cases, name, element, rate):
    values = [getattr(case.contenders[name], rate) / 1e9 for case in cases.values()
              if case.type == element and name in case.contenders]
    return median(values) if values else None


def draw_roofline(axes, cases, element):
    peak, read = machine(cases, "peak", element, "flop_rate"), machine(cases, "read", element, "byte_rate")
    if not peak or not read:
        return
    intensities = [0.3, peak / read, 3000]
    axes.plot(intensities, [min(peak, read * i) for i in intensities], color="black", linewidth=1)
    axes.annotate(f"{peak:.0f} GFLOP/s", (3000, peak), ha="right", va="bottom", fontsize=8)
    axes.annotate(f"{read:.0f} GB/s", (1, read), ha="left", va="bottom", fontsize=8, rotation=35, xytext=(-12, 6),
                  textcoords="offset points")
    seen = set()
    for case in cases.values():
        if case.type != element or case.op not in OP_MARKERS or case.model not in MODELS or len(case.contenders) == 1:
            continue
        for contender, color in (("onednn", "tab:gray"), ("boostr", COLORS[element])):
            if contender not in case.contenders:
                continue
            entry = case.contenders[contender]
            op = case.op.replace("+bias", "")
            label = f"{'ours' if contender == 'boostr' else 'oneDNN'}, {op}"
            axes.plot(case.contenders["boostr"].flops / case.contenders["boostr"].bytes, entry.flop_rate / 1e9,
                      OP_MARKERS[case.op], color=color, markersize=5, alpha=0.8, label=None if label in seen else label)
            seen.add(label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations per byte of operands and results")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"{element}: all models, 1 to 2048 tokens")
    axes.grid(True, which="both", alpha=0.25)
    if seen:
        axes.legend(fontsize=8, loc="lower right")


def roofline_picture(cases, path):
    figure, panels = pyplot.subplots(1, 2, figsize=(12, 5.5), constrained_layout=True)
    for axes, element in zip(panels, COLORS):
        draw_roofline(axes, cases, element)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw(cases, folder):
    """Draws the pictures that there is data for; their names and titles."""
    drawn = []
    if any(len(times(cases, "fused_qkv", model, "f32", "boostr")[0]) > 10 for model in MODELS):
        tokens_picture(cases, folder / "cpu-tokens.png")
        drawn.append(("cpu-tokens.png", "Time of fused_qkv against tokens"))
    if all(machine(cases, "read", element, "byte_rate") for element in COLORS):
        roofline_picture(cases, folder / "cpu-roofline.png")
        drawn.append(("cpu-roofline.png", "GFLOP/s against operations per byte"))
    return drawn
