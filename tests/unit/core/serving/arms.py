"""What a source says of a candidate beside its champion, by the verdict that comes of it."""

from __future__ import annotations

from steadfit.core.types import Arm, Compared

NOTHING = Compared(reason="the source does not answer", code="Unreachable")
WORSE = Compared(candidate=Arm(5000, 0.2, 1e-6), champion=Arm(5000, 0.01, 1e-6))
ARMS = {
    "Pass": Compared(candidate=Arm(5000, 0.01, 1e-7), champion=Arm(5000, 0.01, 1e-7), in_step=5000),
    "Fail": WORSE,
    "Inconclusive": Compared(candidate=Arm(300, 0.01, 1e-2), champion=Arm(300, 0.01, 1e-2)),
    "NoData": NOTHING,
}
METRICS = {"error-rate", "latency"}
"""The metrics of an analysis that names none."""
