"""The checks of cache.test, in the folder that is given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(sys.argv[1])
CACHE = FOLDER / "cache"
X = np.array([1, 2, 3, 4], np.float32)
np.save(FOLDER / "x.npy", X)
checks = []


def check(function):
    """Runs the check with an empty cache."""
    for path in entries():
        path.unlink()
    function()
    checks.append(function.__name__)


def source(factor):
    path = FOLDER / f"times{factor}.mlir"
    path.write_text(f"""
        func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {{
          %c = arith.constant {factor}.0 : f32
          %n = arith.constant 0 : index
          %d = tensor.dim %x, %n : tensor<?xf32>
          %e = tensor.empty(%d) : tensor<?xf32>
          %s = linalg.fill ins(%c : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
          %y = arith.mulf %x, %s : tensor<?xf32>
          return %y : tensor<?xf32>
        }}""")
    return path


def start(tool, *arguments, **environment):
    variables = {**os.environ, "BOOSTR_CACHE_DIR": str(CACHE), **environment}
    return subprocess.Popen([tool, *map(str, arguments)], env=variables, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


def run(factor, *arguments, **environment):
    """Calls the function of `source(factor)`, and returns by what it multiplied."""
    result = FOLDER / f"y{len(checks)}.npy"
    result.unlink(missing_ok=True)
    out, _ = finish(start("boostr-run", source(factor), "--entry=f", "--in", FOLDER / "x.npy",
                          "--out", result, *arguments, **environment))
    factors = np.load(result) / X
    assert (factors == factors[0]).all()
    return factors[0], out


def entries(folder=CACHE):
    return sorted(folder.glob("llvmcache-*"))


@check
def what_was_compiled_is_used():
    run(2)
    (two,) = entries()
    run(3)
    (three,) = set(entries()) - {two}
    two_bytes, three_bytes = two.read_bytes(), three.read_bytes()
    two.write_bytes(three_bytes)
    three.write_bytes(two_bytes)
    assert (run(2)[0], run(3)[0]) == (3, 2)


@check
def options_and_target_make_another():
    run(2)
    run(2, "--target=cpu:x86-64")
    run(2, "--contractions=linalg")
    assert len(entries()) == 3


@check
def another_compiler_makes_another():
    folder = FOLDER / "bin"
    folder.mkdir()
    program = Path(shutil.copy2(shutil.which("boostr-compile"), folder))

    def compile_once():
        finish(start("boostr-compile", source(2), "--target=cpu", "--emit=obj", "-o",
                     FOLDER / "f.o", PATH=f"{folder}:{os.environ['PATH']}"))
        return len(entries())

    assert (compile_once(), compile_once()) == (1, 1)
    os.utime(program, (0, 0))
    assert compile_once() == 2


@check
def an_entry_stays_as_it_is():
    run(2)
    before = [(path, path.stat().st_ino) for path in entries()]
    run(2)
    assert [(path, path.stat().st_ino) for path in entries()] == before


@check
def damage_is_noticed():
    run(2)
    (path,) = entries()
    whole = path.read_bytes()
    for damaged in (whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1])
                    + whole[len(whole) // 2 + 1:], whole[:-9], whole[:100], b"",
                    b"x" * len(whole), whole + b"\0"):
        path.write_bytes(damaged)
        assert run(2)[0] == 2
        assert path.read_bytes() == whole


@check
def processes_at_once():
    arguments = ("boostr-run", source(2), "--entry=f", "--in", FOLDER / "x.npy", "--print")
    results = [finish(process)[0] for process in [start(*arguments) for _ in range(4)]]
    assert len(set(results)) == 1 and "2 4 6 8" in results[0]
    assert len(entries()) == 1 and not entries()[0].name.endswith(".part")


@check
def the_longest_unused_goes_first():
    run(2)
    (first,) = entries()
    limit = str(first.stat().st_size * 5 // 2)
    for factor in (3, 4, 5):
        run(factor, BOOSTR_CACHE_BYTES=limit)
    assert len(entries()) <= 2 and first not in entries()
    latest = entries()
    assert run(5, BOOSTR_CACHE_BYTES=limit)[0] == 5 and entries() == latest


@check
def it_can_be_switched_off():
    assert run(2, "--cache=")[0] == 2
    assert run(2, BOOSTR_CACHE_DIR="")[0] == 2
    assert entries() == []


@check
def the_option_wins():
    other = FOLDER / "other"
    run(2, f"--cache={other}")
    assert entries() == [] and len(entries(other)) == 1


@check
def the_default_is_in_the_home_folder():
    variables = {**os.environ, "HOME": str(FOLDER / "home")}
    for name in ("BOOSTR_CACHE_DIR", "XDG_CACHE_HOME"):
        variables.pop(name, None)
    command = ["boostr-run", source(2), "--entry=f", "--in", FOLDER / "x.npy"]
    subprocess.run(command, env=variables, check=True)
    assert len(entries(FOLDER / "home" / ".cache" / "boostr")) == 1
    subprocess.run(command, env={**variables, "XDG_CACHE_HOME": str(FOLDER / "xdg")}, check=True)
    assert len(entries(FOLDER / "xdg" / "boostr")) == 1


@check
def a_folder_that_cannot_be_written():
    (FOLDER / "file").write_text("")
    assert run(2, f"--cache={FOLDER}/file/cache")[0] == 2


@check
def a_bound_that_is_no_number():
    process = start("boostr-run", source(2), "--entry=f", BOOSTR_CACHE_BYTES="much")
    _, err = process.communicate()
    assert process.returncode == 1
    assert err == ("boostr-run: error: BOOSTR_CACHE_BYTES: expected a whole number above 0, "
                   "got 'much'\n")


@check
def arithmetic_is_counted_without_compiling():
    path = FOLDER / "project.mlir"
    path.write_text("""
        func.func @project(%x: tensor<?x?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x?x8xf32> {
          %y = boostr.out_proj_residual %x, %w residual(%x)
              : tensor<?x?x8xf32>, tensor<8x8xf32>, tensor<?x?x8xf32>
          return %y : tensor<?x?x8xf32>
        }""")
    np.save(FOLDER / "a.npy", np.ones((2, 3, 8), np.float32))
    np.save(FOLDER / "w.npy", np.ones((8, 8), np.float32))
    for _ in range(2):
        out, _ = finish(start("boostr-run", path, "--entry=project", "--in", FOLDER / "a.npy",
                              "--in", FOLDER / "w.npy", "--repeat=2"))
        assert "GFLOP/s" in out
    assert len(entries()) == 1


@check
def dumped_ir_is_that_of_a_compilation():
    for _ in range(2):
        _, err = finish(start("boostr-run", source(2), "--entry=f", "--in", FOLDER / "x.npy",
                              "--dump-ir=llvm"))
        assert "llvm.func" in err
    assert len(entries()) == 1


@check
def tools_write_what_they_would_have_compiled():
    for emit in ("obj", "so", "asm", "llvm-ir"):
        written = []
        for number, cache in enumerate(("", CACHE, CACHE)):
            path = FOLDER / f"{number}" / "f"
            path.parent.mkdir(exist_ok=True)
            finish(start("boostr-compile", source(2), f"--emit={emit}", "-o", path,
                         f"--cache={cache}"))
            written.append(path.read_bytes())
        assert written[0] == written[1] == written[2]
    # An object is one entry, for shared objects too.
    assert len(entries()) == 3
    finish(start("boostr-compile", source(2), "--emit=header", "-o", FOLDER / "f.h"))
    assert len(entries()) == 3


@check
def messages_are_kept_too():
    said = [finish(start("boostr-compile", source(2), "--target=cuda:sm_90a", "--emit=obj",
                         "--report-kernels", "-o", FOLDER / "f.o"))[1] for _ in range(2)]
    assert said[0] == said[1] != ""
    assert len(entries()) == 1


print(len(checks), "checks passed")
