// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy and ONNX Runtime, by an interpreter in this process: contenders.py
// gets the addresses of the case's arrays and returns something to call.

#include "Contender.h"

#include <Python.h>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace bench;
using nlohmann::json;

namespace {

/// An owned reference; throws what Python raised instead of being null.
class Object {
public:
  explicit Object(PyObject *object) : object(object) {
    if (object)
      return;
    PyErr_Print();
    throw std::runtime_error("Python raised an exception");
  }
  Object(const Object &) = delete;
  ~Object() { Py_XDECREF(object); }
  PyObject *get() const { return object; }

private:
  PyObject *object;
};

json describe(const void *data, std::vector<int64_t> shape) {
  return {{"address", reinterpret_cast<uintptr_t>(data)}, {"shape", shape}};
}

/// The case and its arrays, as contenders.py takes them.
json describe(const Data &data) {
  const Case &c = data.c;
  int64_t m = c.m(), n = c.n(), k = c.k();
  json arrays = json::object();
  auto add = [&](const char *name, const Buffer &buffer,
                 std::vector<int64_t> shape) {
    if (buffer.size())
      arrays[name] = describe(buffer.data(), std::move(shape));
  };
  add("input", data.x, {1, m, k});
  add("bias", data.bias, {n});
  add("residual", data.residual, {1, m, n});
  add("d_output", data.dy, {1, m, n});
  add("output", data.y, {1, m, n});
  add("d_input", data.dx, {1, m, k});
  add("d_weight", data.dw, {n, k});
  add("d_bias", data.db, {n});
  const char *names[] = {"query", "key", "value"};
  for (int i = 0; i < 3; ++i) {
    std::vector<int64_t> shape{1, data.headsOf(i), m, c.headDim};
    add(names[i], data.heads[i], shape);
    add(("d_" + std::string(names[i])).c_str(), data.dHeads[i], shape);
  }
  json weights = json::array();
  for (int i = 0; i < data.copies; ++i)
    weights.push_back(describe(data.weight(size_t(i)), {n, k}));
  return {{"op", c.op},
          {"wrt", c.wrt},
          {"heads", c.heads},
          {"kv_heads", c.kvHeads},
          {"head_dim", c.headDim},
          {"type", c.type == Type::F64 ? "f64" : "f32"},
          {"arrays", arrays},
          {"weights", weights}};
}

class PythonRunner final : public Runner {
public:
  PythonRunner(PyObject *made)
      : runner(made), runMethod(PyObject_GetAttrString(made, "run")),
        storeMethod(PyObject_GetAttrString(made, "store")) {}
  void run(size_t copy) override {
    Object(PyObject_CallFunction(runMethod.get(), "n", Py_ssize_t(copy)));
  }
  void storeResults() override {
    Object(PyObject_CallNoArgs(storeMethod.get()));
  }
  bool hasResults() const override {
    Object checked(PyObject_GetAttrString(runner.get(), "has_results"));
    return PyObject_IsTrue(checked.get()) == 1;
  }
  std::string label() const override {
    Object text(PyObject_GetAttrString(runner.get(), "label"));
    const char *utf8 = PyUnicode_AsUTF8(text.get());
    return utf8 ? utf8 : "";
  }

private:
  Object runner, runMethod, storeMethod;
};

/// Starts the interpreter of the plan's environment.
void startPython(const Plan &plan) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  PyConfig_SetBytesString(&config, &config.program_name, plan.python.c_str());
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status))
    throw std::runtime_error(std::string("Python does not start: ") +
                             status.err_msg);
  Object path(PyUnicode_FromString(plan.pythonPath.c_str()));
  PyList_Insert(PySys_GetObject("path"), 0, path.get());
}

} // namespace

void bench::addPython(const Plan &plan, std::vector<Contender> &out,
                      Versions &versions) {
  startPython(plan);
  // Held by the contenders for as long as the process runs.
  PyObject *module = PyImport_ImportModule("contenders");
  Object imported(module);
  Py_INCREF(module);
  Object described(PyObject_CallMethod(module, "versions", nullptr));
  json entries = json::parse(PyUnicode_AsUTF8(described.get()));
  for (auto &[name, value] : entries.items())
    versions.emplace_back(name, value.get<std::string>());
  int threads = plan.threads;
  for (const char *name :
       {"numpy", "onnxruntime", "onnxruntime_attention", "onnxruntime_mha"})
    out.push_back({name, [=](Data &data) -> std::unique_ptr<Runner> {
                     if (data.c.type != Type::F32 && data.c.type != Type::F64)
                       return nullptr;
                     PyObject *made = PyObject_CallMethod(
                         module, "make", "ssi", name,
                         describe(data).dump().c_str(), threads);
                     if (made == Py_None) {
                       Py_DECREF(made);
                       return nullptr;
                     }
                     return std::make_unique<PythonRunner>(made);
                   }});
}
