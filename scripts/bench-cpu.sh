#!/usr/bin/env bash
# The CPU benchmark: installs what it needs, builds, measures, writes tables and pictures.
#
# usage: scripts/bench-cpu.sh [--filter REGEX] [--sweep] [--contenders A,B] [--threads N]
#                             [--seconds N] [--resume] [--out FOLDER] [--report] [--docs]
#
#   --filter      only cases whose names contain it: op/model/type/tokens
#   --sweep       many token counts for the picture of smoothness, ours alone
#   --contenders  only these (benchmarks/cpu/shapes.json has the names)
#   --threads     as many processors as it may use (all)
#   --seconds     begin no case later than this
#   --resume      only cases of which the folder has no undisturbed results
#   --out         the folder of results (bench-cpu/): each run adds a file, the report merges them
#   --report      measure nothing, report what is in the folder
#   --docs        also bring docs/cpu-performance.md, cpu-benchmark.md and cpu-*.png up to date
#
# All of it takes 20 minutes (an estimate), on a machine that does nothing else; in turns, with --seconds and --resume:
#   scripts/bench-cpu.sh && scripts/bench-cpu.sh --sweep --docs
set -euo pipefail
cd "$(dirname "$0")/.."

out=bench-cpu
measure=1
resume=0
plan_options=()
report_options=()
while [ $# -gt 0 ]; do
  case $1 in
  --filter | --contenders | --threads | --seconds)
    plan_options+=("$1" "${2:?$1 expected a value}")
    shift
    ;;
  --sweep) plan_options+=(--sweep) ;;
  --resume) resume=1 ;;
  --out)
    out=${2:?--out expected a folder}
    shift
    ;;
  --report) measure=0 ;;
  --docs) report_options+=(--docs docs) ;;
  *)
    echo "bench-cpu.sh: error: unknown option '$1'" >&2
    exit 1
    ;;
  esac
  shift
done

packages=(libbenchmark-dev nlohmann-json3-dev pkg-config libpython3-dev python3-venv)
environment=.venv-bench

install_packages() {
  local missing=() run=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" -eq 0 ] || run=(sudo)
  "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Debian's Python: the one that libpython3-dev lets a program embed.
install_python_packages() {
  cmp -s benchmarks/cpu/requirements.txt "$environment/.installed" && return
  /usr/bin/python3 -m venv --clear "$environment"
  "$environment/bin/python" -m pip install -q --disable-pip-version-check --no-deps \
    -r benchmarks/cpu/requirements.txt
  cp benchmarks/cpu/requirements.txt "$environment/.installed"
}

install_packages
install_python_packages
mkdir -p "$out"
[ $resume = 0 ] || plan_options+=(--resume "$out")
if [ $measure = 1 ]; then
  [ -f build/build.ninja ] || scripts/build.sh release -t restat >/dev/null
  cmake -S . -B build -DBOOSTR_BUILD_BENCHMARKS=ON >/dev/null
  ninja -C build boostr-compile cpu-benchmark
  "$environment/bin/python" benchmarks/cpu/modules.py --build build --environment "$PWD/$environment" \
    --artifacts "$PWD/build/bench-cpu" --plan "$out/plan.txt" "${plan_options[@]}"
  # Settings that work around errors of old versions of OpenBLAS; what it runs is in the report.
  results=$out/$(date -u +%Y%m%dT%H%M%SZ).json
  env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
    build/bin/cpu-benchmark "$out/plan.txt" "$results.part"
  mv "$results.part" "$results"  # What an error cut short stays a part.
fi
"$environment/bin/python" benchmarks/cpu/report.py "$out"/*.json --out "$out" "${report_options[@]}"
