"""How all tests that draw their cases at random draw them.

A run of the suite draws the same cases every time, so that what is green stays green until the code changes.
`HYPOTHESIS_PROFILE=hunt` draws others each time; run the properties so, again and again, after a change of a policy.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# To explain a failure Hypothesis traces every line, ten times slower: the time limit of the test then hides the case.
PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]

settings.register_profile("suite", derandomize=True, deadline=None, phases=PHASES, suppress_health_check=SLOW)
settings.register_profile("hunt", deadline=None, phases=PHASES, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
