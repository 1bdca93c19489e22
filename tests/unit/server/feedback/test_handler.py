"""Outcomes that are posted back: what is counted, under which version, and what is refused with which words."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from numpy.typing import NDArray
from steadfit_server.feedback import handler as feedback
from steadfit_server.model.interface import Output

from tests.support.tokens import tampered
from tests.unit.server.harness import FEEDBACK, Answer, Caller, FakeModel, mixed, tensor
from tests.unit.server.telemetry.test_bin_counters import CLASSES, MULTI, Scores, Values

DAY = 86_400.0


def token_of(caller: Caller, rows: int = 1) -> str:
    answer = caller.infer(*mixed(rows))
    return str(answer.body["parameters"]["prediction_token"])


def entry(token: str, outcome: Any, row: int = 0) -> dict[str, Any]:
    return {"token": token, "row": row, "outcome": outcome}


def totals(answer: Answer) -> tuple[int, int, int, list[str]]:
    body = answer.body
    return answer.status, body["counted"], body["replayed"], [each["reason"] for each in body["rejected"]]


def rejected(caller: Caller, each: Any) -> tuple[str, str]:
    """Post one outcome that is refused; return reason and sentence."""
    before = {reason: caller.value("steadfit_feedback_rejected_total", reason=reason) for reason in REASONS}
    answer = caller.feedback(each)
    assert answer.status == 400
    assert (answer.body["counted"], answer.body["replayed"]) == (0, 0)
    (problem,) = answer.body["rejected"]
    assert problem["index"] == 0
    after = {reason: caller.value("steadfit_feedback_rejected_total", reason=reason) for reason in REASONS}
    before[problem["reason"]] = (before[problem["reason"]] or 0) + 1
    assert after == before
    return problem["reason"], problem["error"]


REASONS = ("malformed", "forged", "other_model", "expired", "wrong_type", "replayed")


def outcomes(caller: Caller, **labels: str) -> dict[tuple[str, str], float]:
    """Return the counts above 0 of the served version, or of the one named."""
    own = {"version": caller.settings.version, "revision": caller.settings.revision} | labels
    return {
        (sample.labels["bin"], sample.labels["outcome"]): sample.value
        for family in caller.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "steadfit_feedback_total" and own.items() <= sample.labels.items() and sample.value
    }


def test_an_answer_names_its_prediction_and_carries_a_token() -> None:
    caller = Caller()
    first, second = (caller.infer(*mixed()).body["parameters"] for _ in range(2))
    assert set(first) == {"revision", "prediction_id", "prediction_token"}
    assert len(bytes.fromhex(first["prediction_id"])) == 16
    assert first["prediction_id"] != second["prediction_id"]


def test_binary_outcomes_are_counted_by_twentieth_of_the_score_with_the_squared_error() -> None:
    caller = Caller()
    token = token_of(caller, 2)
    assert totals(caller.feedback(entry(token, 1), entry(token, 0, row=1))) == (200, 2, 0, [])
    assert outcomes(caller) == {("15", "positive"): 1, ("15", "negative"): 1}
    squared = caller.value("steadfit_feedback_squared_error_total")
    assert squared == pytest.approx(0.25**2 + 0.75**2, abs=1e-4)
    assert caller.value("steadfit_feedback_absolute_error_total") is None


def test_the_row_is_the_first_one_where_it_is_not_said() -> None:
    caller = Caller()
    assert totals(caller.feedback({"token": token_of(caller), "outcome": 1})) == (200, 1, 0, [])


def test_a_score_of_1_lies_in_the_last_bin() -> None:
    caller = Caller(Scores([[0, 1], [1, 0]], [1, 0]))
    token = token_of(caller, 2)
    caller.feedback(entry(token, 1), entry(token, 0, row=1))
    assert outcomes(caller) == {("19", "positive"): 1, ("0", "negative"): 1}


@pytest.mark.parametrize("part", range(20))
def test_a_score_on_a_border_lies_above_it_as_forests_of_twenty_trees_give_them(part: int) -> None:
    caller = Caller(Scores([[1 - part / 20, part / 20]], [0]))
    caller.feedback(entry(token_of(caller), 1))
    assert outcomes(caller) == {(str(part), "positive"): 1}


def test_outcomes_of_several_classes_are_counted_by_predicted_class() -> None:
    caller = Caller(Scores([[1, 0, 0]], ["early", "late", "gone"]), MULTI, CLASSES)
    token = token_of(caller, 3)
    answer = caller.feedback(entry(token, "early"), entry(token, "early", row=1), entry(token, "gone", row=2))
    assert totals(answer) == (200, 3, 0, [])
    # The reference counts 'gone' with the others.
    assert outcomes(caller) == {("early", "correct"): 1, ("late", "wrong"): 1, ("other", "correct"): 1}
    assert caller.value("steadfit_feedback_squared_error_total") is None


def test_outcomes_of_a_regression_are_counted_with_both_errors() -> None:
    caller = Caller(Values(), classes=None)
    token = token_of(caller)
    assert totals(caller.feedback(entry(token, 5))) == (200, 1, 0, [])
    assert outcomes(caller) == {("value", "observed"): 1}
    assert caller.value("steadfit_feedback_absolute_error_total") == 1.5
    assert caller.value("steadfit_feedback_squared_error_total") == 2.25


def test_a_binary_model_without_probabilities_has_the_scores_0_and_1() -> None:
    class Labels(FakeModel):
        def predict(self, columns: Any) -> Sequence[Output]:
            return super().predict(columns)[:1]

    caller = Caller(Labels())
    caller.feedback(entry(token_of(caller), 0))
    assert outcomes(caller) == {("19", "negative"): 1}


def test_an_outcome_that_comes_again_counts_once() -> None:
    caller = Caller()
    token = token_of(caller, 2)
    caller.feedback(entry(token, 1))
    assert totals(caller.feedback(entry(token, 1))) == (200, 0, 1, [])
    assert totals(caller.feedback(entry(token, 1), entry(token, 1, row=1))) == (200, 1, 1, [])
    assert outcomes(caller) == {("15", "positive"): 2}
    assert caller.value("steadfit_feedback_rejected_total", reason="replayed") == 2


def test_what_is_remembered_against_replays_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "MAX_REMEMBERED", 2)
    caller = Caller()
    tokens = [token_of(caller) for _ in range(3)]
    caller.feedback(*(entry(token, 1) for token in tokens))
    assert totals(caller.feedback(entry(tokens[2], 1))) == (200, 0, 1, [])
    assert totals(caller.feedback(entry(tokens[0], 1))) == (200, 1, 0, [])


def test_an_outcome_counts_for_the_version_that_predicted_whichever_is_served() -> None:
    old, new = Caller(), Caller(version="8", revision="bbbbbbbbbb")
    assert totals(new.feedback(entry(token_of(old), 1))) == (200, 1, 0, [])
    assert outcomes(new) == {}
    assert outcomes(new, version="7", revision="0a1b2c3d4e") == {("15", "positive"): 1}


def test_another_versions_series_are_shown_at_0_before_its_first_counts() -> None:
    old, new = Caller(), Caller(version="8", revision="bbbbbbbbbb")
    labels = {"version": "7", "revision": "0a1b2c3d4e"}
    new.feedback(entry(token_of(old), 1))

    def scrape() -> dict[str, float]:
        return {
            sample.name + sample.labels.get("bin", "") + sample.labels.get("outcome", ""): sample.value
            for family in new.metrics.registry.collect()
            for sample in family.samples
            if labels.items() <= sample.labels.items()
        }

    first, second = scrape(), scrape()
    assert set(first.values()) == {0}
    assert first.keys() == second.keys()
    assert second["steadfit_feedback_total15positive"] == 1
    assert second["steadfit_feedback_squared_error_total"] > 0


def test_a_version_with_other_classes_is_judged_by_its_own() -> None:
    old = Caller(Scores([[0.25, 0.75]], ["late"]), classes=("early", "late"))
    new = Caller(version="8", revision="bbbbbbbbbb")
    token = token_of(old)
    assert rejected(new, entry(token, 1)) == (
        "wrong_type",
        "feedback[0].outcome is '1', which is no class of the version that predicted.",
    )
    assert totals(new.feedback(entry(token, "late"))) == (200, 1, 0, [])
    several = Caller(Scores([[1, 0, 0]], ["gone"]), MULTI, CLASSES, version="6")
    assert totals(new.feedback(entry(token_of(several), "gone"))) == (200, 1, 0, [])


def test_outcomes_of_more_than_eight_other_versions_are_refused() -> None:
    new = Caller(version="100")
    olds = [Caller(version=str(version)) for version in range(9)]
    for old in olds[:8]:
        assert new.feedback(entry(token_of(old), 1)).body["counted"] == 1
    token = token_of(olds[8])
    for _ in range(2):
        reason, sentence = rejected(new, entry(token, 1))
        assert reason == "expired"
        assert sentence == "feedback[0].token is of version '8', and this replica counts outcomes of 8 others already."
    assert new.feedback(entry(token_of(olds[0]), 1)).body["counted"] == 1


def test_an_outcome_of_a_prediction_that_is_too_old_is_refused() -> None:
    caller = Caller(feedback_max_age_seconds=30 * DAY)
    token = token_of(caller)
    caller.now += 30 * DAY
    assert caller.feedback(entry(token, 1)).status == 200
    caller.now += 1
    reason, sentence = rejected(caller, entry(token, 0))
    assert reason == "expired"
    assert sentence == "feedback[0].token is of a prediction that is older than 30 days, the oldest counted."


def test_the_oldest_prediction_whose_outcome_counts_is_30_days_old_by_default() -> None:
    assert Caller().settings.feedback_max_age_seconds == 30 * DAY


@pytest.mark.parametrize(
    ("change", "reason", "sentence"),
    [
        ({"token": 5}, "malformed", "feedback[0].token must be the 'prediction_token' of an answer."),
        ({"token": "?"}, "malformed", "feedback[0].token is not base64url."),
        ({"token": "AAAA"}, "malformed", "feedback[0].token is no prediction token of this release."),
        ({"row": 1}, "malformed", "feedback[0].row is 1, but the answer had 1 row."),
        ({"row": -1}, "malformed", "feedback[0].row must be the number of a row, counted from 0."),
        ({"row": True}, "malformed", "feedback[0].row must be the number of a row, counted from 0."),
        ({"row": "0"}, "malformed", "feedback[0].row must be the number of a row, counted from 0."),
        ({"outcome": None}, "malformed", "feedback[0].outcome is missing."),
        ({"label": 1}, "malformed", "feedback[0] has an unknown field 'label'."),
        ({"outcome": 2}, "wrong_type", "feedback[0].outcome is '2'; the model's classes are '0', '1'."),
        ({"outcome": "1"}, "wrong_type", "feedback[0].outcome is '1'; the model's classes are '0', '1'."),
        (
            {"outcome": [1]},
            "wrong_type",
            "feedback[0].outcome must be a class of the model: a string, a number, or true or false.",
        ),
        (
            {"outcome": "x" * 257},
            "wrong_type",
            "feedback[0].outcome must be a class of the model: a string, a number, or true or false.",
        ),
    ],
)
def test_an_outcome_that_is_wrong_is_refused_with_the_field(change: dict[str, Any], reason: str, sentence: str) -> None:
    caller = Caller()
    assert rejected(caller, entry(token_of(caller), 1) | change) == (reason, sentence)
    assert outcomes(caller) == {}


def test_an_entry_that_is_no_object_is_refused() -> None:
    sentence = "feedback[0] must be an object with 'token', 'row' and 'outcome'."
    assert rejected(Caller(), ["x"]) == ("malformed", sentence)


def test_a_token_that_was_changed_is_refused_as_forged_and_another_models_as_such() -> None:
    caller = Caller()
    token = token_of(caller)
    assert rejected(caller, entry(tampered(token), 1))[0] == "forged"
    other = Caller(namespace="other")
    assert rejected(other, entry(token, 1)) == (
        "other_model",
        "feedback[0].token is a token of another model's answer.",
    )


@pytest.mark.parametrize("outcome", ["5", True, None, [1.0]])
def test_a_regressions_outcome_must_be_a_number(outcome: Any) -> None:
    caller = Caller(Values(), classes=None)
    assert rejected(caller, entry(token_of(caller), outcome))[0] == ("malformed" if outcome is None else "wrong_type")


@pytest.mark.parametrize("outcome", [1e200, -1e308])
def test_a_regressions_outcome_that_would_spoil_the_sum_for_ever_is_refused(outcome: float) -> None:
    caller = Caller(Values(), classes=None)
    assert rejected(caller, entry(token_of(caller), outcome)) == ("wrong_type", "feedback[0].outcome is too large.")
    assert caller.value("steadfit_feedback_squared_error_total") == 0


def test_a_class_of_several_that_the_model_does_not_have_is_refused() -> None:
    caller = Caller(Scores([[1, 0, 0]], ["early"]), MULTI, CLASSES)
    assert rejected(caller, entry(token_of(caller), "never"))[0] == "wrong_type"


def test_a_boolean_and_its_number_are_the_same_class() -> None:
    caller = Caller()
    token = token_of(caller, 2)
    assert caller.feedback(entry(token, True), entry(token, 0.0, row=1)).body["counted"] == 2


def test_good_outcomes_count_beside_wrong_ones_which_are_named_by_their_place() -> None:
    caller = Caller()
    token = token_of(caller)
    answer = caller.feedback(entry(token, 7), entry(token, 1), entry("x", 1))
    assert totals(answer) == (200, 1, 0, ["wrong_type", "malformed"])
    assert [each["index"] for each in answer.body["rejected"]] == [0, 2]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "The body is not valid JSON"),
        (b"[]", "The body must be a JSON object with a list 'feedback'."),
        (b"{}", "The body must be a JSON object with a list 'feedback'."),
        (b'{"feedback": {}}', "The body must be a JSON object with a list 'feedback'."),
        (b'{"feedback": []}', "'feedback' is empty."),
        (b'{"feedback": [1], "id": "x"}', "Unknown field 'id'"),
        (orjson.dumps({"feedback": [1] * 1001}), "'feedback' has 1001 entries; one request may have 1000."),
    ],
)
def test_a_body_that_is_wrong_as_a_whole_is_refused_in_a_sentence(body: bytes, sentence: str) -> None:
    answer = Caller().post(body, FEEDBACK)
    assert answer.status == 400
    assert answer.error.startswith(sentence)


def test_feedback_is_capped_in_size_and_takes_post_only() -> None:
    caller = Caller(max_body_bytes=100)
    assert caller.post(b" " * 101, FEEDBACK).status == 413
    wrong = caller.get(FEEDBACK)
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert wrong.error == "Feedback takes POST, not 'GET'."


def test_a_thousand_outcomes_of_long_answers_are_taken_off_the_event_loop() -> None:
    caller = Caller()
    token = token_of(caller, 300)
    answer = caller.feedback(*(entry(token, 1, row=row % 300) for row in range(1000)))
    assert totals(answer) == (200, 300, 700, [])


def test_feedback_is_answered_while_draining_and_is_no_inference_request() -> None:
    caller = Caller()
    token = token_of(caller)
    caller.lifecycle.ending = True
    answer = caller.feedback(entry(token, 1))
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert caller.value("steadfit_server_requests_total", code="200") == 1


def test_before_the_model_is_loaded_feedback_is_told_to_come_again() -> None:
    caller = Caller()
    caller.lifecycle.predictor = None
    assert caller.feedback({}).status == 503


def test_a_classification_whose_classes_nobody_names_gives_no_token() -> None:
    caller = Caller(classes=None)
    assert set(caller.infer(*mixed()).body["parameters"]) == {"revision", "prediction_id"}
    assert outcomes(caller) == {}


@dataclass
class Kept:
    kept: int = 4
    dropped: int = 2
    failed: int = 1


@dataclass
class FakeCapture:
    requests: list[tuple[str, float, list[str], list[str]]] = field(default_factory=list)
    outcomes: list[tuple[Any, ...]] = field(default_factory=list)

    def request(
        self, prediction_id: str, at: float, columns: Mapping[str, NDArray[Any]], outputs: Sequence[Output]
    ) -> None:
        self.requests.append((prediction_id, at, list(columns), [output.name for output in outputs]))

    def outcome(self, prediction_id: str, at: float, row: int, outcome: str | int | float | bool, version: str) -> None:
        self.outcomes.append((prediction_id, at, row, outcome, version))

    def statistics(self) -> Kept:
        return Kept()


@pytest.fixture
def capture() -> FakeCapture:
    return FakeCapture()


def test_what_is_answered_is_captured_whole_even_if_fewer_outputs_were_asked_for(capture: FakeCapture) -> None:
    caller = Caller(capture=capture)
    answer = caller.infer(*mixed(), outputs=[{"name": "label"}])
    names, outputs = ["hour", "wind", "holiday", "carrier"], ["label", "probabilities"]
    assert capture.requests == [(answer.body["parameters"]["prediction_id"], caller.now, names, outputs)]


def test_outcomes_are_captured_once_under_the_version_that_predicted(capture: FakeCapture) -> None:
    old, new = Caller(), Caller(version="8", capture=capture)
    old.infer(tensor("x", "FP64", [1.0]))
    answer = old.infer(*mixed())
    token, prediction_id = (answer.body["parameters"][f"prediction_{part}"] for part in ("token", "id"))
    new.now += 60
    for _ in range(2):
        new.feedback(entry(token, True, row=1), entry(token, "x"))
    assert capture.outcomes == [(prediction_id, new.now, 1, True, "7")]


def test_captured_rows_are_counted_by_what_became_of_them(capture: FakeCapture) -> None:
    caller = Caller(capture=capture)
    results = [caller.value("steadfit_capture_rows_total", result=result) for result in ("kept", "dropped", "failed")]
    assert results == [4, 2, 1]


def test_many_posts_at_once_count_every_outcome_once() -> None:
    caller = Caller()
    token = token_of(caller, 1000)
    body = orjson.dumps({"feedback": [entry(token, 1, row=row) for row in range(1000)]})

    async def four_at_once() -> list[Answer]:
        return list(await asyncio.gather(*(caller.ask("POST", FEEDBACK, body) for _ in range(4))))

    answers = asyncio.run(four_at_once())
    assert sum(answer.body["counted"] for answer in answers) == 1000
    assert outcomes(caller) == {("15", "positive"): 1000}
