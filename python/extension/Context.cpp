// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Context.h"
#include "Tensor.h"
#include <string>

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

int32_t Context::getNumThreads() const {
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

Raises ValueError for another number, TypeError for what is no whole number.)")
      .def(nb::init<int64_t>(), "num_threads"_a = 0)
      .def_prop_ro("num_threads", &Context::getNumThreads,
                   "How many threads take part in a call.")
      .def("cancel", &Context::cancel,
           R"(Makes calls on this context stop with RuntimeError.

Those that are running end at the next task; later ones do not start, until reset().
Outputs may be partly written. To be called from another thread.)")
      .def("reset", &Context::reset, "Lets calls run again after cancel().");
}
