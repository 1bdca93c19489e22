"""However often a share is in force for a moment, it is given up once it was not for the progress deadline in sum."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steadfit.core.problem import Problem
from steadfit.core.serving.rollout import clocks, progress_deadline
from steadfit.core.serving.traffic import share_in_force

from tests.support import effort
from tests.unit.core.serving.canaries import tried, trying
from tests.unit.core.serving.serving_cluster import ServingCluster

DEADLINE = timedelta(minutes=30)
SPAN = st.integers(min_value=0, max_value=2400).map(lambda seconds: timedelta(seconds=seconds))


@pytest.fixture(scope="module")
def canary() -> ServingCluster:
    cluster = trying(strategy={"canary": {"steps": [{"weight": 20}]}}, progressDeadline="30m")
    assert tried(cluster).phase == "Analysing"
    return cluster


@settings(max_examples=effort.cases(100))
@given(st.lists(st.tuples(st.booleans(), SPAN), min_size=1, max_size=12))
def test_the_deadline_of_a_share_is_the_sum_of_the_times_in_which_it_was_not_in_force(
    canary: ServingCluster, story: Sequence[tuple[bool, timedelta]]
) -> None:
    status, fleet, now = canary.status, canary.fleet, canary.now
    spent = timedelta(seconds=tried(canary).not_in_force_seconds)
    with pytest.MonkeyPatch.context() as patch:
        for in_force, span in story:
            found = None if in_force else Problem("RouteNotAccepted", "a Gateway does not accept it")
            patch.setattr(share_in_force, "problem", lambda *_, found=found: found)
            status = clocks.stop_or_resume(status, fleet, now)
            assert status.candidate is not None
            end = progress_deadline.ends(status.candidate, fleet.observed.deployment)
            assert end == (None if in_force else now + DEADLINE - spent)
            spent += timedelta() if in_force else span
            now += span
