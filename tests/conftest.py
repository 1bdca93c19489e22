"""How the tests draw random cases, and how often they collect garbage.

A run of the suite draws the same cases every time, so that what is green stays green until the code changes.
`HYPOTHESIS_PROFILE=hunt` draws others each time; run the properties so, again and again, after a change of a policy.
"""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, Phase, settings

# To explain a failure Hypothesis traces every line, ten times slower: the time limit of the test then hides the case.
PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]

settings.register_profile("suite", derandomize=True, deadline=None, phases=PHASES, suppress_health_check=SLOW)
settings.register_profile("hunt", deadline=None, phases=PHASES, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

GARBAGE_THRESHOLD = 50_000
"""Objects made between two collections; with Python's 700 a simulation takes a tenth more CPU time."""


def pytest_collection_finish() -> None:
    """Collect garbage rarely, and never look for it in what the collection of tests has imported and made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
