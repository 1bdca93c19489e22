"""`python -m steadfit` runs the operator."""

from __future__ import annotations

import asyncio
import sys

from steadfit.app.log import configure
from steadfit.app.main import main
from steadfit.app.settings import Settings


def run() -> int:
    """Run the operator and return the process's exit code."""
    settings = Settings()
    configure(settings.log_level)
    return asyncio.run(main(settings))


if __name__ == "__main__":
    sys.exit(run())
