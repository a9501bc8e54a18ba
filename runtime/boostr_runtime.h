// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface between a host program, code compiled by boostr-mlir, and
// the library `libboostr_runtime` that runs beside that code.
//
// A compiled artifact exports, for each public function `foo` of the source:
//
//   extern const boostr_function foo_function;
//       The description of the function: names, ranks, element types, extents.
//   boostr_status foo_dlpack(boostr_context *context,
//                            const DLTensor *const *inputs,
//                            int32_t num_inputs,
//                            const DLTensor *const *outputs,
//                            int32_t num_outputs);
//       The checked entry: boostr_call(context, &foo_function, ...).
//   boostr_status foo(const boostr_memref_Kd *input0, ...,
//                     const boostr_memref_Kd *output0, ...);
//       The plain entry: boostr_invoke(NULL, &foo_function, ...), which does
//       not check shapes.
//
// Results are always written into memory that the caller allocated. Scalars
// are tensors of rank 0.
//
// A function is compiled for the CPU or for CUDA devices, as `device_type` in
// its description says. Both kinds are called alike; what is different about
// the second is said under "CUDA" below.
//
// Rules that hold for every function below unless it says otherwise:
//  - Threads. It may be called from any thread at any time, also from several
//    threads with the same context, and from inside a running invocation.
//  - Ownership. It keeps no pointer that it was given after it has returned.
//  - Errors. It returns a boostr_status, does not abort, exit or throw, and
//    leaves what its out parameters point at unchanged unless it returns
//    BOOSTR_OK. boostr_last_error() has the words.
//  - Load. Loading the library starts no thread, installs no handler and reads
//    no environment variable.
//  - Fork. The child of a fork may use a context that its parent made: it gets
//    new threads when it first needs them. It may not go on with an invocation
//    that was running at the time of the fork, nor, as NVIDIA's driver does not
//    allow it, use CUDA if its parent did.

#ifndef BOOSTR_RUNTIME_BOOSTR_RUNTIME_H
#define BOOSTR_RUNTIME_BOOSTR_RUNTIME_H

#include <dlpack/dlpack.h>
#include <stddef.h>
#include <stdint.h>

// The version of this interface, 1000 * major + minor.
//
// A change of the major version means that the layout of a struct or the
// meaning of a function changed: nothing compiled for another major version
// may be used, and of a boostr_function whose major version differs no field
// but `abi_version` may be read.
//
// A change of the minor version means that something was added (a function, a
// status, a field at the end of boostr_function or boostr_context_options) and
// nothing else changed: a runtime accepts functions compiled for its own minor
// version or an earlier one, and does not read the fields that came later.
//
// Minor version 1 added boostr_function.device_type and all that is named
// boostr_cuda_* or *_on_stream. Minor version 2 added
// boostr_function.cpu_features. Minor version 3 added
// boostr_function.input_layouts and variants, boostr_cuda_multiply and
// boostr_cuda_has_cublaslt. Minor version 4 added boostr_num_threads. Minor
// version 5 added boostr_function.runtime and boostr_runtime_copy. Minor
// version 6 added boostr_cuda_allocator and boostr_context_options.size and
// cuda_allocator.
#define BOOSTR_ABI_MAJOR 1
#define BOOSTR_ABI_MINOR 7
#define BOOSTR_ABI_VERSION (1000 * BOOSTR_ABI_MAJOR + BOOSTR_ABI_MINOR)

// The largest rank of a tensor that crosses this interface.
#define BOOSTR_MAX_RANK 8

// Marks what the shared library exports.
#if defined(_WIN32)
#if defined(BOOSTR_RUNTIME_EXPORTS)
#define BOOSTR_API __declspec(dllexport)
#else
#define BOOSTR_API __declspec(dllimport)
#endif
#else
#define BOOSTR_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define BOOSTR_NOEXCEPT noexcept
extern "C" {
#else
#define BOOSTR_NOEXCEPT
#endif

//===----------------------------------------------------------------------===//
// Status
//===----------------------------------------------------------------------===//

// What became of a call, told by what the caller can do about it. 32 bits
// wide; numbers are never given a new meaning. Treat one that is not listed
// here as BOOSTR_INTERNAL.
typedef enum boostr_status {
  // Done.
  BOOSTR_OK = 0,
  // An argument breaks the contract of the function: correct the call.
  BOOSTR_INVALID_ARGUMENT = 1,
  // Memory ran out: retry with less, or after freeing some.
  BOOSTR_OUT_OF_MEMORY = 2,
  // The machine lacks something at the moment: threads, a device, a library.
  BOOSTR_UNAVAILABLE = 3,
  // This build cannot do it: another version or target is needed.
  BOOSTR_UNSUPPORTED = 4,
  // boostr_context_cancel stopped it. Outputs may be partly written.
  BOOSTR_CANCELLED = 5,
  // A bug of this library, of the compiler or of a host's callback.
  BOOSTR_INTERNAL = 6,
  // Never returned; makes every compiler use 32 bits.
  BOOSTR_STATUS_32_BIT = 0x7fffffff
} boostr_status;

// The name of a status, as in "BOOSTR_OUT_OF_MEMORY", and
// "BOOSTR_STATUS_UNKNOWN" for other numbers. Never null; never freed.
BOOSTR_API const char *boostr_status_name(boostr_status status) BOOSTR_NOEXCEPT;

// One line about the last failure on the calling thread, without a newline, as
// in
//   argument 1 'weight': expected shape [6144, 4096], got [6144, 4095]
// and "" before the first failure. A call that succeeds leaves it unchanged.
// Never null; valid until the next failure on this thread or the thread's end.
BOOSTR_API const char *boostr_last_error(void) BOOSTR_NOEXCEPT;

// The BOOSTR_ABI_VERSION of the library that was loaded.
BOOSTR_API int32_t boostr_abi_version(void) BOOSTR_NOEXCEPT;

// An address in the library that this call reaches: of two copies of it in one
// process each has its own.
BOOSTR_API const void *boostr_runtime_copy(void) BOOSTR_NOEXCEPT;

//===----------------------------------------------------------------------===//
// Context
//===----------------------------------------------------------------------===//

// What invocations share: threads, an allocator, and the request to stop.
//
// Wherever a function takes a context, NULL means the context of the
// invocation that the calling thread is in and, outside of invocations, the
// default context. That one is created when first needed and lives as long as
// the process. It has as many threads as the environment variable
// BOOSTR_NUM_THREADS says (1 to 1024) or, if that is not set, as there are
// processors that the process may run on. While BOOSTR_NUM_THREADS is
// something else, every call that needs the default context fails with
// BOOSTR_INVALID_ARGUMENT.
typedef struct boostr_context boostr_context;

// A host's way to run tasks, instead of the context's own threads.
typedef struct boostr_executor {
  // Passed to `run`. Owned by the host; must outlive the context.
  void *state;
  // Calls task(task_context, i) once for each i in [0, count), in any order
  // and on any threads, and returns when all these calls have returned. Is
  // called from several threads at once when several invocations run, but
  // never from inside a task. Must not throw. An invocation in which a call
  // was left out fails with BOOSTR_INTERNAL.
  void (*run)(void *state, void (*task)(void *task_context, int64_t i),
              void *task_context, int64_t count);
} boostr_executor;

// A host's source of the memory that compiled code for the CPU needs for
// itself.
typedef struct boostr_allocator {
  // Passed to both functions. Owned by the host; must outlive the context.
  void *state;
  // Returns `bytes` (> 0) bytes at a multiple of `alignment` (a power of two,
  // at least 64), or NULL if there are none. Is called from several threads at
  // once. Must not throw.
  void *(*allocate)(void *state, size_t bytes, size_t alignment);
  // Takes back a block of the size that it was asked for. Is called from any
  // thread, from several at once. Must not throw.
  void (*release)(void *state, void *block, size_t bytes);
} boostr_allocator;

// A host's source of the memory of CUDA devices that CUDA functions need for
// themselves: workspaces of kernels and of cuBLASLt, and arrays between the ops
// of a function. It works in the order of the stream that a call is for:
//  - What `allocate` gave is used by work that the call queues on `stream`
//  after
//    `allocate` has returned and before it calls `release`.
//  - `release` is called when that work is queued, and mostly before it is
//    done; nothing waits for it. The block may be given to whoever queues work
//    on the same stream from then on. Before it is given to another stream, or
//    back to the system, the allocator must see to it that the work queued up
//    to the `release` is done first, as by an event.
//  - Both are also called while the stream is being captured in a graph. The
//    work then runs at each launch of the graph, so what `allocate` gave stays
//    in use while the graph may be launched: a block that was released may go
//    to work that is captured behind in the same graph, and to other work only
//    if that never runs while a launch of the graph does.
// All blocks that a call took are given back before it returns, also where it
// fails or is cancelled, with the stream that they were taken for.
// Both are called on the thread that made the call, from several threads at
// once where several make calls, with the CUcontext of the call current, which
// they must leave current. They must not throw.
typedef struct boostr_cuda_allocator {
  // Passed to both functions. Owned by the host; must outlive the context.
  void *state;
  // What messages call it, as in "PyTorch"; may be NULL. Owned by the host;
  // must outlive the context.
  const char *name;
  // Writes the address of `bytes` (> 0) bytes on the device, at a multiple of
  // `alignment` (a power of two, at least 256), and returns BOOSTR_OK. Or
  // returns another status, which becomes that of the call: OUT_OF_MEMORY if
  // there is no memory. `device` counts from 0, as DLPack's device_id does.
  // `stream` is a CUstream, that of the call; NULL for the legacy default
  // stream.
  boostr_status (*allocate)(void *state, size_t bytes, size_t alignment,
                            int32_t device, void *stream, void **block);
  // Takes back a block, with the size, device and stream that it was asked for.
  void (*release)(void *state, void *block, size_t bytes, int32_t device,
                  void *stream);
} boostr_cuda_allocator;

// What a context shall be like. All zero is the default.
typedef struct boostr_context_options {
  // How many threads take part in a loop, with the calling one: 1 to 1024, or
  // 0 for as many as the default context has. Of no effect with an executor.
  int32_t num_threads;
  // sizeof(boostr_context_options), which says what fields there are; or 0 for
  // those up to `allocator`, and then later ones are not looked at. (It was
  // called `reserved`, and had to be 0, before minor version 6.) What a later
  // version has behind the fields of this one must be zero.
  int32_t size;
  // NULL for the context's own threads. The struct is copied.
  const boostr_executor *executor;
  // NULL for the C library's allocator, with huge pages for blocks of 256 KiB
  // and more; of these the context keeps up to 16 MiB for each thread until it
  // is destroyed. The struct is copied.
  const boostr_allocator *allocator;
  // NULL for memory pools of the driver, one for each device. The struct is
  // copied. Since minor version 6; needs `size`.
  const boostr_cuda_allocator *cuda_allocator;
} boostr_context_options;

// Creates a context; `options` may be NULL, for the default. No thread starts
// before the first parallel loop. The caller owns *context.
// Errors: INVALID_ARGUMENT (an option, or BOOSTR_NUM_THREADS if that is what
// num_threads = 0 leads to), UNSUPPORTED (an option of a later version),
// OUT_OF_MEMORY.
BOOSTR_API boostr_status
boostr_context_create(const boostr_context_options *options,
                      boostr_context **context) BOOSTR_NOEXCEPT;

// Ends the context's threads and frees it; does nothing for NULL. Nothing may
// be running on the context, and nobody else may be using it. In the child of
// a fork, the bookkeeping of the parent's threads (some KiB) stays behind.
BOOSTR_API void boostr_context_destroy(boostr_context *context) BOOSTR_NOEXCEPT;

// Makes invocations on the context stop with BOOSTR_CANCELLED: those that are
// running at the next boundary between two tasks of a parallel loop, later
// ones before they start, until boostr_context_reset. Does not wait for them.
// An invocation that meets no such boundary any more ends as usual. Not to be
// called from a signal handler.
// Errors: those of creating the default context.
BOOSTR_API boostr_status boostr_context_cancel(boostr_context *context)
    BOOSTR_NOEXCEPT;

// Lets invocations run again after boostr_context_cancel. One that has not
// stopped yet may then either stop or finish.
// Errors: those of creating the default context.
BOOSTR_API boostr_status boostr_context_reset(boostr_context *context)
    BOOSTR_NOEXCEPT;

// Writes how many threads take part in the context's loops, 0 if an executor
// decides that.
// Errors: INVALID_ARGUMENT (num_threads is NULL), and those of creating the
// default context.
BOOSTR_API boostr_status boostr_context_num_threads(
    boostr_context *context, int32_t *num_threads) BOOSTR_NOEXCEPT;

//===----------------------------------------------------------------------===//
// Descriptions of compiled functions
//===----------------------------------------------------------------------===//

// An input or an output of a compiled function. Constant; part of the artifact.
typedef struct boostr_tensor_spec {
  // For messages. NULL or "" if the source has no name for it.
  const char *name;
  // The element type: whole bytes, one lane. bool has code 6 and 8 bits, as in
  // later versions of DLPack.
  DLDataType dtype;
  // 0 to BOOSTR_MAX_RANK.
  int32_t rank;
  // `rank` extents, -1 where dynamic. May be NULL if the rank is 0.
  const int64_t *shape;
} boostr_tensor_spec;

// A compiled function. Constant; part of the artifact, and valid while that is
// loaded.
typedef struct boostr_function {
  // The BOOSTR_ABI_VERSION that the compiler wrote it for.
  int32_t abi_version;
  // As in the source.
  const char *name;
  // Not negative.
  int32_t num_inputs;
  int32_t num_outputs;
  // As many as said above; may be NULL if there are none.
  const boostr_tensor_spec *inputs;
  const boostr_tensor_spec *outputs;
  // The code. descriptors[i] points at the memref descriptor of input i, and
  // behind the inputs come the outputs. Called by boostr_invoke only.
  void (*packed)(void **descriptors);
  // Computes the extents of all outputs from those of all inputs, each as one
  // list, tensor by tensor. Returns 0, or 1 + the index of the first
  // constraint that the inputs break, and then output_extents need not be
  // complete. Has no other effect. May be NULL if there are no constraints
  // and all extents of the outputs are static.
  int64_t (*shapes)(const int64_t *input_extents, int64_t *output_extents);
  // Not negative.
  int32_t num_constraints;
  // What must hold between the inputs, in words that follow "expected that",
  // as in "dimension 1 of argument 1 'weight' equals dimension 2 of argument 0
  // 'input'".
  const char *const *constraints;
  // Where the function runs and its tensors lie: kDLCPU or kDLCUDA of DLPack's
  // DLDeviceType. Since minor version 1; a function compiled for version 0 has
  // no such field, and runs on the CPU.
  int32_t device_type;
  // What the code needs of an x86-64 CPU beyond the common, as bits that
  // boostr/runtime/CpuFeatures.def lists. A call on a CPU that lacks some
  // returns BOOSTR_UNSUPPORTED and runs nothing; one that needs AMX asks the
  // system to permit it to the process. Since minor version 2.
  uint64_t cpu_features;
  // As many texts as there are inputs, or NULL if no input is packed: how the
  // bytes of an input that is a packed weight must lie, in words that only
  // compare; NULL for other inputs. Such bytes are what the function that packs
  // them wrote: "BOOSTRPK", the size of this header as a number of 64 bits,
  // that text and a zero, and behind the header the panels. Since minor version
  // 3.
  const char *const *input_layouts;
  // Where code for several CPUs is in one artifact: functions that are this one
  // for each of them, the last followed by NULL; else NULL. A call runs the one
  // that needs most of what this CPU has, and `packed` and `cpu_features` of
  // this one do not matter. If none suits, it returns BOOSTR_UNSUPPORTED. Since
  // minor version 3.
  const struct boostr_function *const *variants;
  // boostr_runtime_copy, as the loader finds it for the code, and so the copy
  // of this library that the code calls; or NULL. A copy does not run code that
  // calls another one, which knows nothing of the invocation: a call returns
  // BOOSTR_UNSUPPORTED, and names both. Since minor version 5.
  const void *(*runtime)(void);
} boostr_function;

// The memref descriptors of compiled code, by rank. Element (i0, i1, ...) is
// aligned[offset + i0 * strides[0] + i1 * strides[1] + ...], where offset and
// strides count elements. `allocated` is what an owner would free; compiled
// functions do not free their arguments.
typedef struct boostr_memref_0d {
  void *allocated;
  void *aligned;
  int64_t offset;
} boostr_memref_0d;

#define BOOSTR_DEFINE_MEMREF(NAME, RANK)                                       \
  typedef struct NAME {                                                        \
    void *allocated;                                                           \
    void *aligned;                                                             \
    int64_t offset;                                                            \
    int64_t sizes[RANK];                                                       \
    int64_t strides[RANK];                                                     \
  } NAME

BOOSTR_DEFINE_MEMREF(boostr_memref_1d, 1);
BOOSTR_DEFINE_MEMREF(boostr_memref_2d, 2);
BOOSTR_DEFINE_MEMREF(boostr_memref_3d, 3);
BOOSTR_DEFINE_MEMREF(boostr_memref_4d, 4);
BOOSTR_DEFINE_MEMREF(boostr_memref_5d, 5);
BOOSTR_DEFINE_MEMREF(boostr_memref_6d, 6);
BOOSTR_DEFINE_MEMREF(boostr_memref_7d, 7);
BOOSTR_DEFINE_MEMREF(boostr_memref_8d, 8);

#undef BOOSTR_DEFINE_MEMREF

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

// Computes the shapes that boostr_call demands of the outputs for these inputs.
// Of the inputs, rank, extents and element type are read and checked; data,
// strides and device are not. `output_extents` receives the extents of all
// outputs, one tensor behind the other: as many numbers as the ranks in
// function->outputs add up to. It may be NULL if that is 0.
// Errors: those of boostr_call that concern what is read.
BOOSTR_API boostr_status boostr_output_shapes(
    const boostr_function *function, const DLTensor *const *inputs,
    int32_t num_inputs, int64_t *output_extents) BOOSTR_NOEXCEPT;

// Checks the arguments, then runs the function, which reads the inputs and
// writes the outputs, all of it memory of the caller. Before anything is
// written this has been checked:
//  - The counts are those of `function`; no pointer to a tensor is null.
//  - Device: kDLCPU or, for a CUDA function, as said under "CUDA" below.
//  - Element type and rank: those of the spec.
//  - Extents: not negative, those of the spec where that is static, and as the
//    function's constraints demand. The outputs have exactly the shapes of
//    boostr_output_shapes.
//  - Strides: NULL, or those of the compact row-major layout, where the stride
//    of a dimension of extent 1 and all strides of a tensor without elements
//    may be anything.
//  - data + byte_offset: not null, and a multiple of the element's size, for a
//    CUDA function also of 16; may be anything for a tensor without elements.
//  - A packed weight: that it was packed as the function wants it.
//  - No output shares a byte with an input or with another output.
// Inputs may overlap each other. Of two calls that run at once, neither may
// write memory that the other reads or writes.
// A CUDA function is run by boostr_call_on_stream, on the legacy default
// stream. Errors: INVALID_ARGUMENT (a rule above is broken; the message names
// the tensor, what was expected and what was found), UNSUPPORTED (the function
// was compiled for another version of this interface), and those of
// boostr_invoke.
BOOSTR_API boostr_status boostr_call(boostr_context *context,
                                     const boostr_function *function,
                                     const DLTensor *const *inputs,
                                     int32_t num_inputs,
                                     const DLTensor *const *outputs,
                                     int32_t num_outputs) BOOSTR_NOEXCEPT;

// Runs the function on memref descriptors without looking at them: the caller
// answers for all that boostr_call checks. `descriptors` holds a pointer per
// input, then per output; it may be NULL if there are none. What the function
// allocated and did not free is freed when it ends.
// A CUDA function is run by boostr_invoke_on_stream, on the legacy default
// stream.
// Errors: INVALID_ARGUMENT (a null pointer; the environment, if the default
// context is to be created), UNSUPPORTED (as boostr_call), OUT_OF_MEMORY,
// UNAVAILABLE (threads cannot be started), CANCELLED, INTERNAL. After one of
// the last four, outputs may be partly written.
BOOSTR_API boostr_status boostr_invoke(boostr_context *context,
                                       const boostr_function *function,
                                       void **descriptors) BOOSTR_NOEXCEPT;

//===----------------------------------------------------------------------===//
// CUDA
//===----------------------------------------------------------------------===//
//
// NVIDIA's driver, libcuda.so.1, is opened when it is first needed: by a call
// of a CUDA function or of a function below. Where it is missing, is older than
// CUDA 12.0 or has no device, such calls fail with UNAVAILABLE and everything
// else works. Nothing else of CUDA is needed.
//
// A call of a CUDA function queues work on a stream and does not wait for it.
// Its arguments must therefore stay as they are until that work is done, and
// what the work does wrong is an error of a later call or of the host's waiting
// for it. Only on one stream does the work of a call wait for that of the call
// before. The call may be part of the capture of a CUDA graph, also the first
// one; the graph may be launched while its arguments, the context and what was
// current at the call exist.
//
// Tensors must be kDLCUDA or kDLCUDAManaged, all on one device, 16-byte
// aligned. (kDLCUDAHost is memory of the host, and refused.) The CUcontext of a
// call is the calling thread's current one if that is of this device, else that
// of the stream, and for default streams the primary one of the device, which
// is made current while the call runs. The stream must be one of that
// CUcontext.
//
// A boostr_context keeps the modules that were loaded for functions called on
// it, one for each CUcontext, and, for each device, the memory that they
// allocated for themselves and freed, for the next call. boostr_context_destroy
// gives both back; the work of all calls on it must be done. With a
// cuda_allocator it keeps no such memory. What the driver needs for modules and
// cuBLASLt for its handles is theirs in any case. Primary contexts that were
// needed stay until the process ends, and must not be reset. The context's
// `allocator` and threads are of no concern to CUDA functions.
//
// boostr_context_cancel stops a running call before the next kernel that it
// would have queued. What is in the queue is not stopped.
//
// A message about an error that the driver reported names the call of the
// driver, as in
//   cuLaunchKernelEx: CUDA_ERROR_INVALID_VALUE (invalid argument)
// The status is what the caller can do about it: OUT_OF_MEMORY; UNAVAILABLE (no
// device, or one that does not work); UNSUPPORTED (no code for this device);
// INVALID_ARGUMENT (the stream or the current CUcontext is not valid or not
// meant for this, which includes what a graph cannot capture); INTERNAL.

// boostr_call on a stream. `stream` is a CUstream (cudaStream_t, which is the
// same), and NULL the legacy default stream.
// Errors: those of boostr_call, INVALID_ARGUMENT if it is no CUDA function, and
// those above.
BOOSTR_API boostr_status boostr_call_on_stream(
    boostr_context *context, void *stream, const boostr_function *function,
    const DLTensor *const *inputs, int32_t num_inputs,
    const DLTensor *const *outputs, int32_t num_outputs) BOOSTR_NOEXCEPT;

// boostr_invoke on a stream. The device is that of the current CUcontext or, if
// there is none, the one on which the first argument lies.
// Errors: those of boostr_invoke, INVALID_ARGUMENT if it is no CUDA function,
// and those above.
BOOSTR_API boostr_status boostr_invoke_on_stream(
    boostr_context *context, void *stream, const boostr_function *function,
    void **descriptors) BOOSTR_NOEXCEPT;

// What a host needs to provide for tensors if it does not know CUDA otherwise.
// `device` counts from 0, as DLPack's device_id does. The CUcontext is chosen
// as for a call. Errors are those above, and INVALID_ARGUMENT for a null place
// of a result and for a device that is not there.

// Writes how many CUDA devices there are: more than 0.
BOOSTR_API boostr_status boostr_cuda_device_count(int32_t *count)
    BOOSTR_NOEXCEPT;

// Writes the compute capability of a device, 10 * major + minor: what compilers
// call sm_90 is 90.
BOOSTR_API boostr_status boostr_cuda_compute_capability(
    int32_t device, int32_t *capability) BOOSTR_NOEXCEPT;

// Writes the address of `bytes` bytes on a device, at a multiple of 256.
BOOSTR_API boostr_status boostr_cuda_allocate(int32_t device, size_t bytes,
                                              void **block) BOOSTR_NOEXCEPT;

// Frees a block of boostr_cuda_allocate on this device. All work that uses it
// must be done. Does nothing for NULL.
BOOSTR_API boostr_status boostr_cuda_release(int32_t device,
                                             void *block) BOOSTR_NOEXCEPT;

// Copies between memory of the device and of the host, or within one of them,
// behind the work that is on `stream`, and returns when that is done.
BOOSTR_API boostr_status boostr_cuda_copy(int32_t device, void *stream,
                                          void *to, const void *from,
                                          size_t bytes) BOOSTR_NOEXCEPT;

// Returns when the work on `stream` is done, or with the error that it ended
// in.
BOOSTR_API boostr_status boostr_cuda_synchronize(int32_t device,
                                                 void *stream) BOOSTR_NOEXCEPT;

//===----------------------------------------------------------------------===//
// For compiled code
//===----------------------------------------------------------------------===//
//
// The functions below are called by compiled code inside boostr_invoke. When
// one of them fails it does not return: it leaves the invocation by longjmp,
// and boostr_invoke frees what the invocation had allocated and returns the
// status. Frames between boostr_invoke and these functions must therefore have
// nothing to clean up, as is the case for compiled code.

// Calls task(task_context, i) once for each i in [0, count) on the threads of
// the invocation's context, and returns when all these calls have returned.
// They see what the caller wrote before, and the caller what they wrote. No
// order is promised. Inside a task, and outside of invocations, the calls are
// made one after the other on the calling thread, as a part of what it is
// running, and so is a single call. After a failure in a task or a
// cancellation, tasks that have not started are left out.
// Failures: UNAVAILABLE (threads cannot be started), CANCELLED, INTERNAL (a
// host's executor broke its contract), and the failure of a task.
BOOSTR_API void boostr_parallel_for(void (*task)(void *task_context, int64_t i),
                                    void *task_context,
                                    int64_t count) BOOSTR_NOEXCEPT;

// How many threads would take part in a loop of the caller's, with the calling
// one: 1 inside a task and outside of invocations, 0 if an executor decides
// that. To share work well; results must not depend on it. Does not fail.
BOOSTR_API int64_t boostr_num_threads(void) BOOSTR_NOEXCEPT;

// Allocates from the context's allocator, at a multiple of 64 and of
// `alignment`, which is 0 or a power of two. A block of zero bytes is a block
// like any other. The block lives until boostr_release, or until the
// invocation or task that allocated it ends. Outside of invocations the block
// comes from the C library and lives until boostr_release; NULL is returned if
// there is none.
// In an invocation of a CUDA function it is memory of the device, from the
// context's cuda_allocator if it has one, allocated and released in the order
// of the stream, at a multiple of 256, and `alignment` may not be more.
// Failures: OUT_OF_MEMORY, INTERNAL (the alignment), those of CUDA and of the
// cuda_allocator.
BOOSTR_API void *boostr_allocate(size_t bytes,
                                 size_t alignment) BOOSTR_NOEXCEPT;

// Frees a block of boostr_allocate, made in the current invocation or task, in
// one that this is nested in, or outside of invocations. Does nothing for NULL.
BOOSTR_API void boostr_release(void *block) BOOSTR_NOEXCEPT;

// The same by the names that MLIR's conversion of memref to LLVM calls.
BOOSTR_API void *_mlir_memref_to_llvm_alloc(size_t bytes) BOOSTR_NOEXCEPT;
BOOSTR_API void *
_mlir_memref_to_llvm_aligned_alloc(size_t alignment,
                                   size_t bytes) BOOSTR_NOEXCEPT;
BOOSTR_API void _mlir_memref_to_llvm_free(void *block) BOOSTR_NOEXCEPT;

//===----------------------------------------------------------------------===//
// For compiled code: CUDA
//===----------------------------------------------------------------------===//
//
// The rules are those above; these functions are called in invocations of CUDA
// functions, outside of tasks of parallel loops. Failures are those of CUDA,
// INTERNAL (an argument that compiled code must not give) and, where said,
// others. The structs are constant, part of the artifact.

// One compiled form of a module's kernels.
typedef struct boostr_cuda_image {
  // What it is compiled for, as in "sm_90a", if it is a cubin: "sm_80" runs on
  // devices of compute capability 8.0 and later ones of 8, "sm_90a" on 9.0
  // only, "sm_100f" as "sm_100". "" if it is PTX, which the driver compiles.
  const char *chip;
  // The cubin, or the text, with or without a final zero byte.
  const void *data;
  uint64_t size;
} boostr_cuda_image;

// Kernels that are loaded together.
typedef struct boostr_cuda_module {
  // A hash of everything below: modules of equal keys are taken for one.
  uint8_t key[16];
  // In any order. Of the cubins that run on a device the most specific one is
  // loaded, and the first PTX if there is none.
  int32_t num_images;
  const boostr_cuda_image *images;
  // Their names in the code.
  int32_t num_kernels;
  const char *const *kernels;
} boostr_cuda_module;

// The extents of a launch: x, y, z.
typedef struct boostr_cuda_grid {
  // In blocks. A zero means that there is nothing to do.
  uint32_t grid[3];
  // In threads.
  uint32_t block[3];
  // The cluster, in blocks; three times 0 or 1 for none.
  uint32_t cluster[3];
  // Dynamic shared memory of a block, in bytes.
  uint32_t shared_bytes;
} boostr_cuda_grid;

// Queues a kernel of the module on the invocation's stream. params[i] points at
// parameter i of the kernel, which is copied. Loads the module if this is the
// first time for the invocation's contexts.
// Failures also: CANCELLED, UNSUPPORTED (no image for this device).
BOOSTR_API void boostr_cuda_launch(const boostr_cuda_module *module,
                                   int32_t kernel, const boostr_cuda_grid *grid,
                                   void **params) BOOSTR_NOEXCEPT;

// The same for a kernel that needs nothing of the one that compiled code asked
// for before it in the same invocation, and that waits for it before it ends
// (griddepcontrol.wait): it may begin as soon as that one allows it
// (griddepcontrol.launch_dependents), on multiprocessors that have room.
BOOSTR_API void boostr_cuda_launch_beside(const boostr_cuda_module *module,
                                          int32_t kernel,
                                          const boostr_cuda_grid *grid,
                                          void **params) BOOSTR_NOEXCEPT;

// Writes the tensor map (CUtensorMap) of a tiled tensor without interleaving,
// where what is read out of bounds is zero: `map` has 128 bytes at a multiple
// of 64. `element` is a CUtensorMapDataType, `swizzle` a CUtensorMapSwizzle,
// `rank` 1 to 5. Innermost first: `extents` and `box` have `rank` numbers of
// elements, `strides` has rank - 1 numbers of bytes, for the dimensions from
// the second on. The map of a tensor without elements is all zeros, and a
// kernel must not use it.
BOOSTR_API void boostr_cuda_encode_tensor_map(void *map, int32_t element,
                                              int32_t rank, void *address,
                                              const int64_t *extents,
                                              const int64_t *strides,
                                              const int32_t *box,
                                              int32_t swizzle) BOOSTR_NOEXCEPT;

// Queues the filling of `bytes` bytes of the device's memory with zero on the
// invocation's stream. Code for minor versions up to 6 calls it.
BOOSTR_API void boostr_cuda_zero(void *address, size_t bytes) BOOSTR_NOEXCEPT;

// The number of multiprocessors of the invocation's device.
BOOSTR_API int32_t boostr_cuda_multiprocessors(void) BOOSTR_NOEXCEPT;

// A number that is not zero, that no other call in this process returns and
// that memory has by chance alone: what a kernel marks memory with that was not
// cleared.
BOOSTR_API uint64_t boostr_cuda_token(void) BOOSTR_NOEXCEPT;

// Whether there is a cuBLASLt, 1 or 0: see boostr_cuda_multiply.
BOOSTR_API int32_t boostr_cuda_has_cublaslt(void) BOOSTR_NOEXCEPT;

// A matrix in memory of the device: element [i, j] lies i * row_stride +
// j * column_stride elements behind `data`. One of the two strides is 1. The
// matrices of a batch lie batch_stride elements apart.
typedef struct boostr_cuda_matrix {
  void *data;
  int64_t row_stride, column_stride, batch_stride;
} boostr_cuda_matrix;

enum {
  // In `flags`: operands of f32 may be rounded to TF32.
  BOOSTR_CUDA_TF32 = 1,
  // In `flags`: that there is no cuBLASLt is no failure.
  BOOSTR_CUDA_OPTIONAL = 2,
};

// For each matrix of a batch
//   result[i, j] = sum over k of lhs[i, k] * rhs[j, k] + bias[j] + addend[i, j]
// and lhs_sums[i] = sum over k of lhs[i, k]. The sum is f64 if elements are,
// else f32, and rounded once.
typedef struct boostr_cuda_product {
  int64_t rows, columns, steps, batch;
  // [rows, steps] and [columns, steps], of `element`.
  boostr_cuda_matrix lhs, rhs;
  // [rows, columns], of `result_element`, whose column_stride is 1. The data of
  // the addend may be NULL, for none, and may be that of the result.
  boostr_cuda_matrix result, addend;
  // `columns` elements of `result_element`, those of the next matrix of a batch
  // bias_stride elements behind; NULL for none. Not together with lhs_sums.
  const void *bias;
  int64_t bias_stride;
  // `rows` elements of `sums_element`; NULL for none. Not of a batch.
  void *lhs_sums;
  DLDataType element, result_element, sums_element;
  uint32_t flags;
} boostr_cuda_product;

enum {
  // Nothing was queued: cuBLASLt has no way to compute such a product, or there
  // are no steps, or there is no cuBLASLt and the product is OPTIONAL.
  BOOSTR_CUDA_NOTHING = 0,
  // The product was, but lhs_sums were not, if there are any.
  BOOSTR_CUDA_PRODUCT = 1,
  BOOSTR_CUDA_PRODUCT_AND_SUMS = 2,
};

// Queues a product by cuBLASLt on the invocation's stream, and returns what was
// queued. cuBLASLt (libcublasLt.so.13 or .12) is opened at the first product
// that is asked for; BOOSTR_CUBLASLT_LIBRARY may name the file. How to compute
// a product is asked of cuBLASLt once for products that differ in nothing but
// addresses, and kept in the context.
// Failures also: CANCELLED, UNAVAILABLE (no cuBLASLt), and those of cuBLASLt,
// whose messages name its call.
BOOSTR_API int32_t boostr_cuda_multiply(const boostr_cuda_product *product)
    BOOSTR_NOEXCEPT;

#ifdef __cplusplus
} // extern "C"
#endif

#endif // BOOSTR_RUNTIME_BOOSTR_RUNTIME_H
