// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Context.h"
#include "Tensor.h"
#include <algorithm>
#include <atomic>
#include <dlfcn.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;
using namespace nb::literals;
using namespace boostr_python;

Context::Context(int64_t numThreads) {
  boostr_context_options options = {};
  options.num_threads = static_cast<int32_t>(numThreads);
  if (options.num_threads != numThreads)
    throw nb::value_error(("option num_threads: expected a number from 0 to "
                           "1024, got " +
                           std::to_string(numThreads))
                              .c_str());
  check(boostr_context_create(&options, &context));
}

namespace {
/// Tasks that the threads of a team take one after the other.
struct Work {
  void (*task)(void *context, int64_t i);
  void *context;
  int64_t count;
  std::atomic<int64_t> next{0};
};
} // namespace

static void takeTasks(void *data) {
  auto &work = *static_cast<Work *>(data);
  for (int64_t i; (i = work.next.fetch_add(1)) < work.count;)
    work.task(work.context, i);
}

static void runOnOpenMp(void *state, void (*task)(void *, int64_t),
                        void *context, int64_t count) {
  auto &threads = *static_cast<OpenMpThreads *>(state);
  Work work{task, context, count};
  auto size = std::min<int64_t>(threads.numThreads, count);
  if (size < 2)
    return takeTasks(&work);
  threads.parallel(takeTasks, &work, static_cast<unsigned>(size), /*flags=*/0);
}

Context::Context(const std::string &openMpLibrary, int64_t numThreads)
    : openMp(std::make_unique<OpenMpThreads>()) {
  void *library = dlopen(openMpLibrary.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  void *parallel = library ? dlsym(library, "GOMP_parallel") : nullptr;
  if (!parallel)
    throw nb::value_error(("openmp: expected an OpenMP library that is loaded, "
                           "got '" +
                           openMpLibrary + "'")
                              .c_str());
  if (numThreads < 1 || numThreads > 1024)
    throw nb::value_error(("option num_threads: expected a number from 1 to "
                           "1024, got " +
                           std::to_string(numThreads))
                              .c_str());
  openMp->parallel = reinterpret_cast<decltype(openMp->parallel)>(parallel);
  openMp->numThreads = static_cast<unsigned>(numThreads);
  boostr_executor executor = {openMp.get(), &runOnOpenMp};
  boostr_context_options options = {};
  options.executor = &executor;
  check(boostr_context_create(&options, &context));
}

int32_t Context::getNumThreads() const {
  if (openMp)
    return static_cast<int32_t>(openMp->numThreads);
  int32_t number = 0;
  check(boostr_context_num_threads(context, &number));
  return number;
}

void Context::cancel() { check(boostr_context_cancel(context)); }
void Context::reset() { check(boostr_context_reset(context)); }

void boostr_python::defineContext(nb::module_ &module) {
  nb::class_<Context>(module, "Context", R"(A pool of threads.

Arguments:
  num_threads: 1 to 1024, or 0 for as many as BOOSTR_NUM_THREADS says or the machine
    has processors. Results do not depend on it.
  openmp: the name of an OpenMP library that another package has loaded, as in
    "libgomp.so.1", to use its threads instead of new ones; then num_threads is 1 to 1024.

Raises:
  ValueError: another number, or there is no such library.
  TypeError: what is no whole number.)")
      .def(nb::init<int64_t>(), "num_threads"_a = 0)
      .def(nb::init<const std::string &, int64_t>(), nb::kw_only(), "openmp"_a,
           "num_threads"_a)
      .def_prop_ro("num_threads", &Context::getNumThreads,
                   "How many threads take part in a call.")
      .def("cancel", &Context::cancel,
           R"(Makes calls on this context stop with RuntimeError.

Those that are running end at the next task; later ones do not start, until reset().
Outputs may be partly written. To be called from another thread.)")
      .def("reset", &Context::reset, "Lets calls run again after cancel().");
}
