"""Writes how long a bad candidate keeps its traffic, and how often a good one goes back: a report, tables, a picture.

    make cluster-up install bench

The test's delay is simulated with the operator's arithmetic (`detector`), the mechanism is measured on a cluster
(`canaries`). What is published is the sum of the test's 95th percentile and the mechanism's maximum.
"""

import argparse
import json
import sys
from pathlib import Path

from .canary_picture import picture
from .canary_results import results
from .canary_tables import replaced
from .result import read, write


def main() -> int:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, required=True, help="report of benchmarks.detector")
    parser.add_argument("--canaries", type=Path, required=True, help="report of benchmarks.canaries")
    parser.add_argument("--report", type=Path, default=Path("build/bench/report.json"))
    parser.add_argument("--document", type=Path, help="file whose tables are replaced")
    parser.add_argument("--picture", type=Path, help="file to draw to, as SVG")
    asked = parser.parse_args()
    simulated = {one.name: one for one in read(asked.detector)}
    measured = json.loads(asked.canaries.read_text())
    found = {one.name: one for one in results(simulated, measured["trials"])}
    write(asked.report, found.values())
    if asked.document:
        asked.document.write_text(replaced(asked.document.read_text(), found, simulated, measured["machine"]))
    if asked.picture:
        asked.picture.write_text(picture(found, simulated))
    print(*found.values(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
