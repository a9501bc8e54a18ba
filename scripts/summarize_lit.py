"""Prints the totals of a lit run: usage: summarize_lit.py RESULTS.json

Skipped tests are named with their reason, so that a missing feature is seen.
The last line is `N passed, N failed, N skipped`.
"""

import json
import sys
from collections import Counter

PASSED = {"PASS", "XFAIL", "FLAKYPASS"}
SKIPPED = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        tests = json.load(file)["tests"]
    totals = Counter()
    for test in tests:
        code = test["code"]
        if code in PASSED:
            totals["passed"] += 1
        elif code in SKIPPED:
            totals["skipped"] += 1
            if code == "UNSUPPORTED":
                reason = (test.get("output") or "").strip().splitlines()
                print(f"skipped {test['name']}: {reason[-1] if reason else code}")
        else:
            totals["failed"] += 1
            print(f"failed {test['name']}: {code}")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
