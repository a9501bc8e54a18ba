#!/usr/bin/env bash
# Installs what is missing, builds, and runs the MiniLM example: the attention
# projections of a real sentence-embedding model, compiled here and checked.
#
# usage: scripts/demo.sh [arguments of examples/minilm/run.py...]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release
PYTHONPATH=build/python exec .venv/bin/python examples/minilm/run.py "$@"
