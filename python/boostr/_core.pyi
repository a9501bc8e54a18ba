from typing import Any, overload


class Diagnostic:
    """An error, warning, note or remark of the compiler."""

    @property
    def severity(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...

    @property
    def message(self) -> str: ...

    def __repr__(self) -> str: ...

class Diagnostics:
    @property
    def entries(self) -> list[Diagnostic]: ...

    @property
    def text(self) -> str: ...

class CompileResult:
    @property
    def path(self) -> str: ...

    @property
    def failed(self) -> bool: ...

    @property
    def was_cached(self) -> bool: ...

    @property
    def diagnostics(self) -> Diagnostics: ...

class RunPassesResult:
    @property
    def text(self) -> str: ...

    @property
    def failed(self) -> bool: ...

    @property
    def diagnostics(self) -> Diagnostics: ...

def compile(*, source: bytes, name: str, target: str, contractions: str, f32_precision: str, gemm: str, ptxas: str, cache_folder: str, cache_bytes: int, output: str) -> CompileResult: ...

def run_passes(source: bytes, name: str, pipeline: str) -> RunPassesResult: ...

def cuda_chip(device: int) -> str: ...

def cuda_synchronize(device: int, stream: int) -> None: ...

class Context:
    """
    A pool of threads.

    Arguments:
      num_threads: 1 to 1024, or 0 for as many as BOOSTR_NUM_THREADS says or the machine
        has processors. Results do not depend on it.
      openmp: the name of an OpenMP library that another package has loaded, as in
        "libgomp.so.1", to use its threads instead of new ones; then num_threads is 1 to 1024.

    Raises:
      ValueError: another number, or there is no such library.
      TypeError: what is no whole number.
    """

    @overload
    def __init__(self, num_threads: int = 0) -> None: ...

    @overload
    def __init__(self, *, openmp: str, num_threads: int) -> None: ...

    @property
    def num_threads(self) -> int:
        """How many threads take part in a call."""

    def cancel(self) -> None:
        """
        Makes calls on this context stop with RuntimeError.

        Those that are running end at the next task; later ones do not start, until reset().
        Outputs may be partly written. To be called from another thread.
        """

    def reset(self) -> None:
        """Lets calls run again after cancel()."""

class Function:
    """
    A function of a compiled module.

    Called with one tensor per input it returns its result, or a tuple if it has several:

        y = module.project(attn, weight, residual)
        module.project(attn, weight, residual, out=y)

    Arguments:
      *inputs: as many tensors as the function has inputs: NumPy arrays, PyTorch tensors or
        anything else with DLPack or the buffer protocol. Elements must lie in C order and
        have exactly the type of the source: nothing is copied or converted. bfloat16 is
        torch.bfloat16, ml_dtypes.bfloat16, or uint16 with the same bits.
      out: a tensor, or a tuple with one for each result, to write to; must not share memory
        with an input. Otherwise results are new tensors of the first input's framework, on
        its device.
      context: a boostr.Context, the threads to use; by default as many as there are processors.
      stream: the address of a CUDA stream; by default the framework's current one.

    A function that was compiled for CUDA devices only queues its work on the stream, except
    with NumPy arrays: then it runs on copies, and the results are copied back.

    Raises:
      TypeError: a wrong number of arguments, or what is no tensor.
      ValueError: a wrong rank, shape, element type, device or stride, a read-only output or
        one that shares memory. It names the argument, what was expected and what was found;
        nothing is written then.
      MemoryError, RuntimeError: what fails later.
    """

    def __call__(self, *inputs: Any, out: Any = None, context: Context | None = None, stream: int | None = None) -> Any: ...

    def __repr__(self) -> str: ...

    @property
    def name(self) -> str:
        """As in the source."""

def load_functions(path: str, device: int = 0) -> list[Function]:
    """The functions of a shared object that boostr-compile made."""

def register_torch_kernels(find_function: object, find_context: object) -> list[str]:
    """
    Registers kernels of torch.ops.boostr.*, and returns for which dispatch keys: none if PyTorch is too old for that.
    """

xla_ffi_version: tuple = (0, 3)

def jax_handlers(compiler: object) -> dict:
    """
    The handlers to register with XLA, by platform and stage.

    compiler: called as compiler(name, target) for a function that is met for the first time,
      with the attribute "function" of the custom call and "cpu" or "cuda:N"; returns a
      boostr.Function.
    """
