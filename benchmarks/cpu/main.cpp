// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measures the contenders of each case of a plan in turn and writes Google
// Benchmark's JSON. usage: cpu-benchmark PLAN.json RESULTS.json

#include "Contender.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sched.h>
#include <stdexcept>
#include <thread>

using namespace bench;

namespace {

/// Writes all of the runs as one report, whose repetitions are those of ours.
class Report final : public benchmark::BenchmarkReporter {
public:
  explicit Report(std::ofstream &file) { json.SetOutputStream(&file); }
  bool ReportContext(const Context &context) override {
    if (!started)
      json.ReportContext(context);
    started = true;
    return true;
  }
  void ReportRuns(const std::vector<Run> &runs) override {
    std::vector<Run> numbered = runs;
    for (Run &run : numbered) {
      run.repetition_index = repetition;
      run.repetitions = repetitions;
    }
    json.ReportRuns(numbered);
  }
  void Finalize() override {}
  void finish() {
    if (started)
      json.Finalize();
  }

  int64_t repetition = 0, repetitions = 1;

private:
  benchmark::JSONReporter json;
  bool started = false;
};

/// A contender that is ready, and how often it is run at a time.
struct Entry {
  std::string name;
  std::unique_ptr<Runner> runner;
  double seconds = 0;
  int64_t iterations = 1;
  double error = 0;
};

double measure(Runner &runner, size_t copy) {
  auto start = std::chrono::steady_clock::now();
  runner.run(copy);
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

/// Makes a contender ready: its results are checked before it is measured.
bool prepare(const Contender &contender, Data &data,
             const Reference &reference, Entry &entry) {
  entry.name = data.c.name + "/" + contender.name;
  entry.runner = contender.make(data);
  if (!entry.runner)
    return false;
  Runner &runner = *entry.runner;
  data.poisonResults();
  runner.run(size_t(data.copies) - 1);
  if (runner.hasResults()) {
    runner.storeResults();
    entry.error = reference.check(runner, data);
  }
  entry.seconds = measure(runner, 0);
  if (entry.seconds < 0.01)
    entry.seconds = std::min(entry.seconds, measure(runner, 1));
  return true;
}

/// Some tenths of a second of each contender are enough for a median; short
/// ones are repeated within a repetition.
int64_t planRepetitions(const Plan &plan, std::vector<Entry> &entries) {
  double round = 0;
  for (Entry &entry : entries) {
    entry.iterations = std::clamp<int64_t>(int64_t(0.01 / entry.seconds), 1, 1000);
    bool warm = entry.seconds < 0.1;
    round += entry.seconds * double(entry.iterations + warm);
  }
  return std::clamp<int64_t>(int64_t(plan.secondsPerCase / round),
                             plan.minRepetitions, plan.maxRepetitions);
}

/// `next` is the copy of the weight whose turn it is, for all contenders: none
/// shall find in a cache what the one before it read.
void runEntry(Entry &entry, const Case &c, size_t &next,
              benchmark::State &state) {
  Runner &runner = *entry.runner;
  // Wakes threads, and brings code and tables back into the caches.
  if (entry.seconds < 0.1)
    runner.run(next++);
  for (auto _ : state)
    runner.run(next++);
  state.counters["flops"] = runner.flops(c);
  state.counters["bytes"] = runner.bytes(c);
  state.counters["error"] = entry.error;
  state.SetLabel(runner.label());
}

/// Some libraries' threads spin for a while after they worked; the next
/// contender shall have the processors alone.
void letOthersSleep() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void runCase(const Case &c, const Plan &plan,
             const std::vector<Contender> &contenders, Report &report) {
  Data data(c, plan);
  Reference reference(data);
  std::vector<Entry> entries;
  for (const Contender &contender : contenders) {
    if (std::find(c.contenders.begin(), c.contenders.end(), contender.name) ==
        c.contenders.end())
      continue;
    Entry entry;
    try {
      if (prepare(contender, data, reference, entry))
        entries.push_back(std::move(entry));
    } catch (const std::exception &error) {
      throw std::runtime_error(c.name + "/" + contender.name + ": " +
                               error.what());
    }
  }
  report.repetitions = planRepetitions(plan, entries);
  size_t next = 0;
  for (Entry &entry : entries)
    benchmark::RegisterBenchmark(entry.name.c_str(),
                                 [&](benchmark::State &state) {
                                   letOthersSleep();
                                   runEntry(entry, c, next, state);
                                 })
        ->Iterations(entry.iterations)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  // In turn within a repetition: a drift of the clock hits all alike.
  for (report.repetition = 0; report.repetition < report.repetitions;
       ++report.repetition)
    benchmark::RunSpecifiedBenchmarks(&report);
  benchmark::ClearRegisteredBenchmarks();
}

/// Leaves as many processors as there are threads, and tells libraries that
/// read the environment. Before any of them starts a thread.
void limitThreads(int threads) {
  cpu_set_t allowed, chosen;
  CPU_ZERO(&chosen);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    throw std::runtime_error("cannot read the set of processors");
  int left = threads;
  for (int cpu = 0; cpu < CPU_SETSIZE && left > 0; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) {
      CPU_SET(cpu, &chosen);
      --left;
    }
  if (left > 0)
    throw std::runtime_error("threads expected at most the processors there "
                             "are, got " +
                             std::to_string(threads));
  sched_setaffinity(0, sizeof(chosen), &chosen);
  std::string text = std::to_string(threads);
  setenv("OPENBLAS_NUM_THREADS", text.c_str(), 1);
  setenv("OMP_NUM_THREADS", text.c_str(), 1);
  // OpenBLAS' threads spin for 2^26 cycles, 26 ms, unless told otherwise.
  setenv("OPENBLAS_THREAD_TIMEOUT", "20", 1);
  // The environment of some machines works around errors of old versions.
  unsetenv("OPENBLAS_CORETYPE");
  unsetenv("OPENBLAS_L2_SIZE");
}

std::string cpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != line.npos)
      return line.substr(line.find(": ") + 2);
  return "unknown";
}

int run(const std::string &planPath, const std::string &resultPath) {
  Plan plan = Plan::load(planPath);
  limitThreads(plan.threads);
  std::vector<Contender> contenders;
  Versions versions;
  addPeaks(plan, contenders, versions);
  addBoostr(plan, contenders, versions);
  addOpenBlas(plan, contenders, versions);
  addOneDnn(plan, contenders, versions);
  addPython(plan, contenders, versions);
  for (const auto &[name, value] : versions)
    benchmark::AddCustomContext(name, value);
  benchmark::AddCustomContext("cpu", cpuName());
  benchmark::AddCustomContext("threads", std::to_string(plan.threads));

  std::ofstream file(resultPath);
  if (!file)
    throw std::runtime_error("cannot write '" + resultPath + "'");
  Report report(file);
  for (size_t i = 0; i < plan.cases.size(); ++i) {
    std::fprintf(stderr, "[%zu/%zu] %s\n", i + 1, plan.cases.size(),
                 plan.cases[i].name.c_str());
    runCase(plan.cases[i], plan, contenders, report);
  }
  report.finish();
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: cpu-benchmark PLAN.json RESULTS.json\n");
    return 1;
  }
  int benchmarkArguments = 1;
  benchmark::Initialize(&benchmarkArguments, argv);
  try {
    return run(argv[1], argv[2]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "cpu-benchmark: error: %s\n", error.what());
    return 1;
  }
}
