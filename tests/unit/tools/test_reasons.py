"""The check that keeps the catalogue of reasons and the code together."""

from __future__ import annotations

from pathlib import Path

import pytest
from steadfit.core.reasons.catalogue import CATALOGUE
from steadfit.core.reasons.entry import Reason

from tests.tools.reasons import __main__ as tool
from tests.tools.reasons.page import page
from tests.tools.reasons.usage import faults, setters, sources

PLACE = Path("operator/steadfit/core/planted.py")
REASON = Reason("It is so.", "Nothing to do.", conditions=("TrainingJob/Ready",), normal=("TrainingJob",))
NO_CONDITION = Reason("It is so.", "Nothing to do.", normal=("TrainingJob",))


def found(text: str, catalogue: dict[str, Reason]) -> list[str]:
    return list(faults({PLACE: text}, catalogue))


@pytest.mark.parametrize(
    "call",
    [
        'Event("Normal", "Nonsense", "x")',
        'Event("Normal", reason="Nonsense", message="x")',
        'DesiredCondition("Ready", "True", "Nonsense")',
        'ready("Nonsense", "x")',
        'reconciling("Known" if x else "Nonsense", "x")',
        'stalled(x or "Nonsense", "x")',
        'Problem("Nonsense", "x")',
        'Hold("Nonsense", "x")',
        'NoAnswer("Nonsense", "x")',
        'Signal(reason="a sentence", code="Nonsense")',
        'Compared(query, reason="a sentence", code="Nonsense")',
        'replace(one, reason="Nonsense")',
        'one.model_copy(update={"message": "x", "reason": "Nonsense"})',
    ],
)
def test_a_word_that_is_not_in_the_catalogue_is_named_with_its_line(call: str) -> None:
    assert found(f'x = "Known"\n{call}', {"Known": REASON}) == [
        f"{PLACE}:2: the reason Nonsense is not in operator/steadfit/core/reasons"
    ]


def test_a_word_that_nothing_uses_is_named() -> None:
    catalogue = {"Known": REASON, "Forgotten": REASON}
    assert found('"""Forgotten."""\nEvent("Normal", "Known", "Forgotten in a sentence")', catalogue) == [
        "operator/steadfit/core/reasons: nothing uses the reason Forgotten: remove it"
    ]


@pytest.mark.parametrize(
    "code",
    [
        'Phase = Literal["Known", "Forgotten"]',
        'def f(x: Literal["Forgotten"]) -> None: ...',
        'x == "Forgotten"',
        'x in ("Forgotten", "Other")',
        'x["Forgotten"]',
        'match x:\n    case "Forgotten":\n        pass',
    ],
)
def test_a_word_that_is_only_read_or_stands_in_a_type_is_used_by_nothing(code: str) -> None:
    assert found(code, {"Forgotten": REASON}) == [
        "operator/steadfit/core/reasons: nothing uses the reason Forgotten: remove it"
    ]


def test_the_models_of_the_api_set_no_reason() -> None:
    assert not [path for path in sources(tool.ROOT) if "api" in path.parts]


@pytest.mark.parametrize(
    ("call", "type_"),
    [
        ('stalled("Known", "x")', "Ready"),
        ('ready("Known", "x")', "Ready"),
        ('DesiredCondition(STALLED, "True", "Known")', "Ready"),
        ('DesiredCondition("Reconciling", "True", "Known")', "Ready"),
        ('DesiredCondition("RouteReady", "False", "Known")', "RouteReady"),
    ],
)
def test_a_known_word_on_a_condition_that_the_catalogue_does_not_have_it_for_is_named(call: str, type_: str) -> None:
    wrong = found(call, {"Known": NO_CONDITION})
    assert wrong == [f"{PLACE}:1: the catalogue has no condition {type_} of the reason Known"]
    there = Reason("It is so.", "Nothing to do.", conditions=(f"TrainingJob/{type_}",))
    assert found(call, {"Known": there}) == []


def test_a_condition_is_made_in_one_module_and_no_reason_passes_the_type() -> None:
    text = 'Condition(type="Ready", reason=x)\nDesiredCondition("Ready", "True", **more)\nf("Known")'
    assert found(text, {"Known": REASON}) == [
        f"{PLACE}:1: only operator/steadfit/core/conditions.py makes conditions: return a DesiredCondition",
        f"{PLACE}:2: DesiredCondition takes its arguments by `**`: write them out",
    ]


def test_an_event_of_another_type_than_in_the_catalogue_is_named() -> None:
    assert found('Event("Warning", "Known", "x")', {"Known": REASON}) == [
        f"{PLACE}:1: the catalogue has no Warning Event of the reason Known"
    ]


def test_code_and_catalogue_are_together() -> None:
    assert list(faults(sources(tool.ROOT), CATALOGUE)) == []


def test_an_unknown_word_in_the_code_makes_the_check_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = {**sources(tool.ROOT), PLACE: 'stalled("Nonsense", "x")'}
    monkeypatch.setattr(tool, "sources", lambda root: planted)
    assert tool.main(["--check"]) == 1
    assert capsys.readouterr().out == f"{PLACE}:1: the reason Nonsense is not in operator/steadfit/core/reasons\n"


def test_a_page_that_is_out_of_date_makes_the_check_fail_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "faults", lambda code, catalogue: ())
    (tmp_path / tool.PAGE).parent.mkdir(parents=True)
    (tmp_path / tool.PAGE).write_text("old")
    assert tool.main(["--check"]) == 1
    assert "run `make crds`" in capsys.readouterr().out
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0


def test_the_page_has_a_row_for_every_reason_with_the_file_that_sets_it() -> None:
    rows = [line.strip("| ").split(" | ") for line in page(sources(tool.ROOT)).splitlines() if line.startswith("| `")]
    set_in = {row[0]: row[4] for row in rows if len(row) == 5}
    assert set_in.keys() == {f"`{word}`" for word in CATALOGUE}
    assert set_in["`NotQueried`"] == "`core/monitors/source_condition.py`"
    assert all(set_in.values())


def test_a_reason_is_set_where_it_stands_in_a_call_and_else_where_it_stands_at_all() -> None:
    other = Path("operator/steadfit/core/other.py")
    code = {PLACE: 'ready("Known", "x")', other: 'PHASES = ("Known", "Table")'}
    assert setters(code, {"Known": REASON, "Table": REASON}) == {"Known": [PLACE], "Table": [other]}
