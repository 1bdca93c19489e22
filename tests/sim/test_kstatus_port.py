"""The Python port of kstatus says of every state that the simulation produces what the real Go module says."""

from __future__ import annotations

import json

import pytest

from tests.oracles import kstatus, kstatus_module

from .harness import play
from .scenarios import (
    a_change_in_the_middle_of_a_run_supersedes_it,
    a_spec_that_cannot_be_is_stalled_until_it_is_mended,
    actions_retrain_pin_roll_back_and_unpin,
    deleting_and_applying_again_loses_no_version,
    fails_at_once,
)


@pytest.mark.timeout(900)  # the first time, Go compiles the module
def test_the_port_agrees_with_the_real_kstatus() -> None:
    stories = (
        actions_retrain_pin_roll_back_and_unpin,
        a_change_in_the_middle_of_a_run_supersedes_it,
        a_spec_that_cannot_be_is_stalled_until_it_is_mended,
        deleting_and_applying_again_loses_no_version,
        fails_at_once("TrainFails", "UserError"),
    )
    states = [state for story in stories for state in play(story).states]
    bare = json.loads(json.dumps(states[0]))
    del bare["status"]
    going = json.loads(json.dumps(states[-1]))
    going["metadata"]["deletionTimestamp"] = "2026-01-05T00:00:00Z"
    objects = [*states, bare, going]
    ours = [kstatus.compute(obj) for obj in objects]
    assert ours == kstatus_module.compute(objects)
    assert {result.status for result in ours} == {"InProgress", "Failed", "Current", "Terminating"}
