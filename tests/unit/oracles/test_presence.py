"""The oracle of when conditions are there. It judges every state of the simulation and of the cluster tests."""

from __future__ import annotations

import pytest
from steadfit.core.reasons.condition_types import CONDITION_TYPES

from tests.oracles import presence


def status(**conditions: str) -> dict[str, object]:
    return {"conditions": [{"type": name, "status": value} for name, value in conditions.items()]}


ALWAYS = {name: "True" for name, one in CONDITION_TYPES.items() if one.always and "TrainingJob" in one.kinds}


@pytest.mark.parametrize("missing", sorted(ALWAYS))
def test_a_type_that_is_always_there_is_missed(missing: str) -> None:
    rest = {name: value for name, value in ALWAYS.items() if name != missing}
    assert presence.violations("TrainingJob", status(**rest)) == [f"TrainingJob lacks {missing}"]


@pytest.mark.parametrize("value", ["False", "Unknown"])
def test_a_type_of_something_abnormal_is_there_only_while_it_is_true(value: str) -> None:
    assert presence.violations("TrainingJob", status(**ALWAYS, RetrainingPaused="True")) == []
    found = presence.violations("TrainingJob", status(**ALWAYS, RetrainingPaused=value))
    assert found == [f"RetrainingPaused of TrainingJob is {value}, and should be absent"]


def test_an_object_that_no_pass_has_seen_has_no_conditions() -> None:
    assert presence.violations("TrainingJob", {"observedGeneration": -1}) == []
