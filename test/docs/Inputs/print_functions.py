# Prints the functions that the documents show, as the chunks of one file.
#
# usage: print_functions.py SOURCE_TREE

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
functions = [
    block
    for page in pages
    for block in re.findall(r"^```mlir\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    if block.startswith("func.func") and "..." not in block
]
assert len(functions) >= 5, f"{len(functions)} functions in {len(pages)} pages"
print("// -----\n".join(functions))
