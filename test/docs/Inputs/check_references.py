# Fails if a document links to a file that is not there, a pass names a test that is
# not there, or a pass is missing from the tables of the READMEs.
#
# usage: check_references.py SOURCE_TREE

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
failures = []

pages = [root / "README.md", root / "CONTRIBUTING.md", *root.glob("docs/*.md"), *root.glob("*/README.md"),
         *root.glob("examples/*/README.md"), *root.glob("*/RATIONALE.md")]
for page in pages:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target and not (page.parent / target).exists():
            failures.append(f"{page.relative_to(root)}: no file '{target}'")

passes = (root / "passes/Passes.td").read_text()
for example in re.findall(r"Examples?:\s+`([^`]+)`", passes):
    if not (root / example).exists():
        failures.append(f"passes/Passes.td: no file '{example}'")

for name in re.findall(r'Pass<"([^"]+)"', passes):
    for table in ("README.md", "passes/README.md"):
        if f"`{name}`" not in (root / table).read_text():
            failures.append(f"{table}: no row for pass '{name}'")

print("\n".join(failures))
sys.exit(bool(failures))
