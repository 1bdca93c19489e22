"""Writes docs/reference/reasons.md and checks the catalogue of reasons: `python -m tests.tools.reasons [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from steadfit.core.reasons.catalogue import CATALOGUE

from .page import page
from .usage import faults, sources

ROOT = Path(__file__).parents[3]
PAGE = Path("docs/reference/reasons.md")


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with `--check` say what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.reasons", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if code, catalogue and page differ")
    check = parser.parse_args(arguments).check
    code = sources(ROOT)
    target, text = ROOT / PAGE, page(code)
    stale = not target.is_file() or target.read_text() != text
    if not check:
        if stale:
            target.write_text(text)
            print(f"wrote {PAGE}")
        return 0
    found = list(faults(code, CATALOGUE))
    if stale:
        found.append(f"{PAGE} is out of date; run `make crds`")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
