"""The rules of kstatus, Flux and Argo CD hold for every state that the cluster tests have brought about."""

from __future__ import annotations

import pytest

from tests.oracles import kstatus, kstatus_module, status
from tests.support.states import KINDS, recorded

FEWEST_STATES = 200


@pytest.fixture(scope="module")
def histories() -> list[list[dict[str, object]]]:
    return list(recorded())


def test_there_is_something_to_judge(histories: list[list[dict[str, object]]]) -> None:
    assert sum(len(history) for history in histories) >= FEWEST_STATES
    kinds = {str(state["kind"]).lower() + "s" for history in histories for state in history}
    assert kinds == set(KINDS)


def test_no_state_of_the_cluster_tests_breaks_a_rule(histories: list[list[dict[str, object]]]) -> None:
    broken: dict[str, str] = {}
    for history in histories:
        before = None
        for state in history:
            for message in status.violations(state, before):
                broken.setdefault(f"{state['kind']}: {message}", str(state.get("status")))
            before = state
    assert broken == {}


def test_the_port_of_kstatus_agrees_with_the_real_one_on_every_state(
    histories: list[list[dict[str, object]]],
) -> None:
    states = [state for history in histories for state in history]
    ours = [kstatus.compute(state).status for state in states]
    theirs = [result.status for result in kstatus_module.compute(states)]
    assert ours == theirs
