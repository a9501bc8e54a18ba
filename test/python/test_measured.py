# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions that are measured in several ways: without a GPU, whose parts are played here."""

import time

import boostr
import numpy as np
import pytest
from boostr import _core, _frameworks, _measured

SECONDS = {"generated": 0.002, "cublaslt": 0.0002, "auto": 0.0}


class Tensor:
    """On a device."""

    def __init__(self, *shape):
        self.shape = shape


class Adapter:
    capturing = False
    target = "cuda:1"

    def describe(self, name, tensor):
        return "float32", self.target

    def stream(self, device):
        return 7

    def is_capturing(self):
        return self.capturing


@pytest.fixture
def adapter(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOSTR_CACHE_DIR", str(tmp_path))
    played = Adapter()
    waits = []
    monkeypatch.setattr(_frameworks, "of", lambda tensor: played)
    monkeypatch.setattr(_core, "cuda_synchronize", lambda *where: waits.append(where), raising=False)
    played.waits = waits
    return played


class Modules:
    """Those of each way, and the calls that they got."""

    def __init__(self, seconds=None):
        self.seconds, self.calls = seconds or SECONDS, []

    def __call__(self, way):
        def project(*inputs, **options):
            if way not in self.seconds:
                raise RuntimeError("no cuBLASLt")
            self.calls.append(way)
            time.sleep(self.seconds[way])
            return way

        class Played:
            _path = "somewhere"

            @staticmethod
            def functions():
                return ["project"]

        Played.project = staticmethod(project)
        return Played


def module(modules, name="some"):
    return _measured.MeasuredModule(modules, _measured.Choices(name))


def test_faster_is_taken_and_kept(adapter, tmp_path):
    modules = Modules()
    first = module(modules)
    assert first.functions() == ["project"]
    assert first.project(Tensor(2, 1000), Tensor(4)) == "cublaslt"
    assert {"generated", "cublaslt"} == set(modules.calls)
    assert set(adapter.waits) == {(1, 7)}
    # In the same bucket nothing is measured again, here or in the next process.
    for again in (first, module(modules)):
        modules.calls.clear()
        assert again.project(Tensor(2, 600), Tensor(3)) == "cublaslt"
        assert modules.calls == ["cublaslt"]
    # In another bucket it is, and for another module.
    for other, shape in ((first, (2, 100)), (module(modules, "other"), (2, 1000))):
        modules.calls.clear()
        other.project(Tensor(*shape), Tensor(4))
        assert "generated" in modules.calls
    assert len(list(tmp_path.glob("measured-*.json"))) == 2
    boostr.cache.clear()
    assert not list(tmp_path.iterdir())


def test_slower_is_not(adapter):
    assert module(Modules({**SECONDS, "cublaslt": 0.01})).project(Tensor(8)) == "generated"


@pytest.mark.parametrize("reason", ["capture", "host", "stream", "no library"])
def test_nothing_is_measured(adapter, tmp_path, reason):
    modules = Modules({"generated": 0.0, "auto": 0.0} if reason == "no library" else None)
    adapter.capturing = reason == "capture"
    adapter.target = "cpu" if reason == "host" else "cuda:0"
    options = {"stream": 3} if reason == "stream" else {}
    assert module(modules).project(Tensor(8), **options) == "auto"
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_ours(adapter, tmp_path):
    """Broken ones, and what no version knows."""
    (tmp_path / "measured-some.json").write_text("{", encoding="utf-8")
    assert module(Modules()).project(Tensor(8)) == "cublaslt"
    (tmp_path / "measured-some.json").write_text('{"project(8)": "magic"}', encoding="utf-8")
    assert module(Modules()).project(Tensor(8)) == "cublaslt"


def test_processes_do_not_lose_each_others(adapter):
    one, other = _measured.Choices("some"), _measured.Choices("some")
    one.set("a", "generated")
    other.set("b", "cublaslt")
    assert [_measured.Choices("some").get(key) for key in "abc"] == ["generated", "cublaslt", None]


def test_no_folder(adapter, monkeypatch):
    monkeypatch.setenv("BOOSTR_CACHE_DIR", "")
    choices = _measured.Choices("some")
    choices.set("a", "generated")
    assert choices.get("a") == "generated" and _measured.Choices("some").get("a") is None


def test_bucket():
    tensors = [np.zeros(shape) for shape in ((0, 1), (2, 3), (1024,), (1025,), ())]
    assert _measured.bucket(tensors) == "0x1;2x4;1024;2048;"


def test_compile_elsewhere():
    """A CPU has nothing to measure."""
    compiled = boostr.compile("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }",
                              gemm="auto", measure=True)
    assert type(compiled) is boostr.Module
