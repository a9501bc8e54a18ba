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
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

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
    pending.insert(pending.end(), runs.begin(), runs.end());
  }
  void Finalize() override {}
  /// Forgets the runs since the last repetition.
  void discard() { pending.clear(); }
  /// Makes them repetition number `index`; `foreign` is the share of the
  /// processors that others had.
  void accept(int64_t index, int64_t count, double foreign) {
    for (Run &run : pending) {
      run.repetition_index = index;
      run.repetitions = count;
      run.counters["foreign"] = foreign;
    }
    json.ReportRuns(pending);
    pending.clear();
  }
  void finish() {
    if (started)
      json.Finalize();
  }

private:
  benchmark::JSONReporter json;
  std::vector<Run> pending;
  bool started = false;
};

/// What share of all processors other processes have, since it was made.
class ForeignLoad {
public:
  ForeignLoad() : start(now()), all(busy()), own(ownSeconds()) {}
  double share() const {
    double processors = double(std::thread::hardware_concurrency());
    double others = (busy() - all) - (ownSeconds() - own);
    return std::max(0.0, others / (processors * (now() - start)));
  }

private:
  static double now() {
    return std::chrono::duration<double>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  /// Seconds that processors worked, from the first line of /proc/stat.
  static double busy() {
    std::ifstream file("/proc/stat");
    std::string name;
    double user = 0, nice = 0, system = 0, idle, wait, irq = 0, soft = 0,
           steal = 0;
    file >> name >> user >> nice >> system >> idle >> wait >> irq >> soft >>
        steal;
    return (user + nice + system + irq + soft + steal) /
           double(sysconf(_SC_CLK_TCK));
  }
  static double ownSeconds() {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](timeval time) {
      return double(time.tv_sec) + 1e-6 * double(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  double start, all, own;
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
bool prepare(const Contender &contender, Data &data, const Reference &reference,
             Entry &entry) {
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
  for (int i = 1; i < 4 && entry.seconds < 0.02; ++i)
    entry.seconds = std::min(entry.seconds, measure(runner, size_t(i)));
  return true;
}

/// Some tenths of a second of each contender are enough for a median; short
/// ones are repeated within a repetition.
int64_t planRepetitions(const Plan &plan, std::vector<Entry> &entries) {
  double round = 0;
  for (Entry &entry : entries) {
    entry.iterations =
        std::clamp<int64_t>(int64_t(0.01 / entry.seconds), 1, 1000);
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

/// Some libraries' threads, and ours, spin for a while after they worked; the
/// next contender shall have the processors alone. What measures the machine
/// has no threads that others could wait for, and waits until all sleep.
void letOthersSleep(const Runner &next) {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(next.hasResults() ? 2 : 40));
}

/// More than this of the processors for others, and a repetition is disturbed.
constexpr double disturbed = 0.04;

/// Waits until other processes leave the processors alone, while there is
/// something left of the seconds that may be spent so.
void waitForCalm(double &seconds) {
  while (seconds > 0) {
    ForeignLoad load;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    seconds -= 0.2;
    if (load.share() <= disturbed)
      return;
  }
}

/// Runs what is registered, in turn within a repetition: a drift of the clock
/// hits all alike. A disturbed repetition is tried again, but not too often.
void repeat(int64_t repetitions, double &waitSeconds, Report &report) {
  int64_t retries = repetitions;
  for (int64_t i = 0; i < repetitions;) {
    ForeignLoad load;
    benchmark::RunSpecifiedBenchmarks(&report);
    double share = load.share();
    if (share <= disturbed || retries-- <= 0) {
      report.accept(i++, repetitions, share);
      continue;
    }
    report.discard();
    waitForCalm(waitSeconds);
  }
}

void runCase(const Case &c, const Plan &plan,
             const std::vector<Contender> &contenders, double &waitSeconds,
             Report &report) {
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
  size_t next = 0;
  for (Entry &entry : entries)
    benchmark::RegisterBenchmark(entry.name.c_str(),
                                 [&](benchmark::State &state) {
                                   letOthersSleep(*entry.runner);
                                   runEntry(entry, c, next, state);
                                 })
        ->Iterations(entry.iterations)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  repeat(planRepetitions(plan, entries), waitSeconds, report);
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
  benchmark::AddCustomContext("boostr", plan.commit);
  benchmark::AddCustomContext("threads", std::to_string(plan.threads));

  std::ofstream file(resultPath);
  if (!file)
    throw std::runtime_error("cannot write '" + resultPath + "'");
  Report report(file);
  double waitSeconds = plan.waitSeconds;
  auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < plan.cases.size(); ++i) {
    std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - start;
    if (plan.seconds > 0 && elapsed.count() > plan.seconds) {
      std::fprintf(stderr, "time is up, %zu of %zu cases are left\n",
                   plan.cases.size() - i, plan.cases.size());
      break;
    }
    std::fprintf(stderr, "[%zu/%zu] %s\n", i + 1, plan.cases.size(),
                 plan.cases[i].name.c_str());
    runCase(plan.cases[i], plan, contenders, waitSeconds, report);
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
