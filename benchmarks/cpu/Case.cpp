// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the plan and counts operations.

#include "Case.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace bench;
using nlohmann::json;

size_t bench::bytesOf(Type type) {
  switch (type) {
  case Type::F64:
    return 8;
  case Type::F32:
    return 4;
  case Type::F16:
  case Type::BF16:
    return 2;
  }
  return 0;
}

double bench::roundoff(Type type) {
  switch (type) {
  case Type::F64:
    return 0x1p-53;
  case Type::F32:
    return 0x1p-24;
  case Type::F16:
    return 0x1p-11;
  case Type::BF16:
    return 0x1p-8;
  }
  return 0;
}

bool Case::wants(const char *gradient) const {
  return std::find(wrt.begin(), wrt.end(), gradient) != wrt.end();
}

double Case::flops() const {
  int products = isForward() ? 1 : wants("input") + wants("weight");
  return 2.0 * double(m()) * double(n()) * double(k()) * products;
}

double Case::bytes() const {
  double x = double(m()) * double(k()), y = double(m()) * double(n()),
         w = double(n()) * double(k());
  double elements = x + y + w;
  if (isForward())
    elements += isQkv() ? 0 : y;
  else
    elements = y + (wants("input") ? w + x : 0) + (wants("weight") ? x + w : 0);
  return elements * double(bytesOf(type));
}

static Type parseType(const std::string &name) {
  if (name == "f64")
    return Type::F64;
  if (name == "f32")
    return Type::F32;
  if (name == "f16")
    return Type::F16;
  if (name == "bf16")
    return Type::BF16;
  throw std::runtime_error("type expected f64, f32, f16 or bf16, got '" + name +
                           "'");
}

static Case parseCase(const json &entry) {
  Case result;
  result.op = entry.at("op");
  result.model = entry.at("model");
  result.type = parseType(entry.at("type"));
  result.wrt = entry.at("wrt").get<std::vector<std::string>>();
  result.tokens = entry.at("tokens");
  result.hidden = entry.at("hidden");
  result.heads = entry.at("heads");
  result.kvHeads = entry.at("kv_heads");
  result.headDim = entry.at("head_dim");
  result.bias = entry.at("bias");
  result.module = entry.at("module");
  result.contenders = entry.at("contenders").get<std::vector<std::string>>();
  result.name = entry.at("name");
  return result;
}

Plan Plan::load(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("cannot read '" + path + "'");
  json root = json::parse(file);
  Plan plan;
  plan.threads = root.at("threads");
  plan.minRepetitions = root.at("min_repetitions");
  plan.maxRepetitions = root.at("max_repetitions");
  plan.secondsPerCase = root.at("seconds_per_case");
  plan.seconds = root.at("seconds");
  plan.waitSeconds = root.at("wait_seconds");
  plan.rotateBytes = root.at("rotate_bytes");
  plan.maxCopies = root.at("max_copies");
  plan.python = root.at("python");
  plan.pythonPath = root.at("python_path");
  plan.openclDriver = root.at("opencl_driver");
  plan.commit = root.at("commit");
  plan.openblas = root.at("openblas");
  for (const json &entry : root.at("cases"))
    plan.cases.push_back(parseCase(entry));
  return plan;
}
