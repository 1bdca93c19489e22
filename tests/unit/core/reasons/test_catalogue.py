"""The catalogue of reasons agrees with itself, and the types of the code admit only what is in it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest
from steadfit.api.base import Condition
from steadfit.api.kinds import DEFINITIONS
from steadfit.core.conditions import DesiredCondition, ready, reason_of, reconciling, stalled
from steadfit.core.problem import Problem
from steadfit.core.reasons.catalogue import CATALOGUE, SECTIONS, ReasonWord, is_reason
from steadfit.core.reasons.condition_types import CONDITION_TYPES, ConditionType
from steadfit.core.reasons.entry import Reason
from steadfit.core.reasons.general import KINDS
from steadfit.core.reasons.metrics import NoDataReason
from steadfit.core.types import Compared, Event, Signal, SourceHealth
from steadfit.prometheus.answer import NoAnswer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def words(hint: Any) -> set[str]:
    """Return the words that a type admits."""
    return {word for part in get_args(hint) for word in (words(part) or {part})}


def test_the_type_of_reasons_admits_the_words_of_the_catalogue_and_no_others() -> None:
    assert words(ReasonWord) == set(CATALOGUE)
    assert words(ConditionType) == set(CONDITION_TYPES)
    assert words(NoDataReason) <= set(CATALOGUE)


@pytest.mark.parametrize("sink", [Event, DesiredCondition, Problem, ready, reconciling, stalled])
def test_conditions_events_and_problems_take_no_other_word(sink: Any) -> None:
    assert get_type_hints(sink)["reason"] == ReasonWord


@pytest.mark.parametrize("sink", [Signal, Compared, SourceHealth, NoAnswer.__init__])
def test_what_is_measured_takes_no_other_code(sink: Any) -> None:
    assert get_type_hints(sink)["code"] == NoDataReason


def test_a_word_stands_in_one_section() -> None:
    counts = Counter(word for section in SECTIONS.values() for word in section)
    assert max(counts.values()) == 1


def test_kinds_and_condition_types_of_the_catalogue_exist() -> None:
    assert sorted(KINDS) == sorted(definition.kind for definition in DEFINITIONS)
    for word, reason in CATALOGUE.items():
        assert set(reason.normal) | set(reason.warning) <= set(KINDS), word
        for place in reason.conditions:
            kind, _, type_ = place.partition("/")
            assert kind in CONDITION_TYPES[type_].kinds, f"{word}: {place}"  # type: ignore[index]


def test_every_condition_type_but_those_that_repeat_ready_has_a_reason() -> None:
    places = {place for reason in CATALOGUE.values() for place in reason.conditions}
    for name, one in CONDITION_TYPES.items():
        if name not in ("Finished", "Reconciling", "Stalled"):
            assert {f"{kind}/{name}" for kind in one.kinds} <= places


@pytest.mark.parametrize(("word", "reason"), CATALOGUE.items())
def test_a_reason_is_shown_somewhere_and_says_in_a_sentence_what_it_means_and_what_to_do(
    word: str, reason: Reason
) -> None:
    assert reason.conditions or reason.normal or reason.warning
    for sentence in (reason.meaning, reason.next_step):
        assert sentence.endswith(".")
        assert "|" not in sentence
        assert "\n" not in sentence


def test_a_word_of_another_version_or_of_another_condition_is_no_reason() -> None:
    assert is_reason("NoCandidate", "ModelAction/Ready")
    assert not is_reason("OfAnotherVersion", "ModelAction/Ready")
    assert not is_reason("Rejected", "ModelAction/Ready")
    assert is_reason("Rejected", "ModelVersion/Ready")


def test_a_reason_that_is_read_back_from_a_condition_is_in_the_catalogue() -> None:
    made = Condition(type="Ready", status="False", reason="Cooldown", message="", last_transition_time=NOW)
    assert reason_of(made) == "Cooldown"
    with pytest.raises(ValueError, match="Ready has the reason Nonsense, which is not in the catalogue"):
        reason_of(made.model_copy(update={"reason": "Nonsense"}))
