# Prints the functions of all cases of benchmarks/cpu/shapes.json, each once.
#
# usage: print_modules.py SOURCE_TREE

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1]) / "benchmarks" / "cpu"
sys.path.insert(0, str(folder))
import modules

shapes = json.loads((folder / "shapes.json").read_text())
cases = modules.make_cases(shapes, sweep=False) + modules.make_cases(shapes, sweep=True)
print("\n// -----\n".join(dict.fromkeys(modules.module_text(case) for case in cases)))
