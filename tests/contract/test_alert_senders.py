"""Who may post alerts: credentials, and the right that is asked for."""

from __future__ import annotations

from pathlib import Path

from steadfit.app.alerts.auth import TokenFile

from .alert_fixture import SENDER, Bench, alert, message, play


def test_a_message_without_valid_credentials_is_refused_before_it_is_read() -> None:
    async def story(bench: Bench) -> None:
        for token in (None, "", "unknown", "x" * 5000):
            answer = await bench.post(b"{", token=token)
            assert answer.status == 401, token
            assert answer.body["error"]
        assert bench.alerts() == {}

    play(story)


def test_a_caller_without_the_right_is_refused_by_name() -> None:
    async def story(bench: Bench) -> None:
        bench.fake.tokens["stranger"] = {"authenticated": True, "user": {"username": "jane"}}
        answer = await bench.post(message(alert()), token="stranger")
        assert answer.status == 403
        assert "jane" in answer.body["error"]
        assert "steadfit-alert-sender" in answer.body["error"]
        assert bench.alerts() == {}

    play(story)


def test_the_right_is_asked_for_with_all_that_the_token_says_and_not_again_for_a_while() -> None:
    async def story(bench: Bench) -> None:
        user = {"username": SENDER, "uid": "u1", "groups": ["g1"], "extra": {"pod": ["p1"]}}
        bench.fake.tokens["good"] = {"authenticated": True, "user": user}
        for number in range(3):
            assert (await bench.post(message(alert(f"a{number}")))).status == 200
        (token,) = bench.fake.seen("create", "tokenreviews")
        assert token.body["spec"] == {"token": "good"}
        (access,) = bench.fake.seen("create", "subjectaccessreviews")
        assert access.body["spec"] == {
            "user": SENDER,
            "uid": "u1",
            "groups": ["g1"],
            "extra": {"pod": ["p1"]},
            "nonResourceAttributes": {"path": "/v1/alerts", "verb": "post"},
        }

    play(story)


def test_the_token_of_a_file_is_taken_and_nobody_else_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")

    async def story(bench: Bench) -> None:
        assert (await bench.post(message(alert()), token="secret")).status == 200
        assert (await bench.post(message(alert("b2")), token="good")).status == 401
        assert (await bench.post(message(alert("b2")), token=None)).status == 401
        assert bench.fake.seen("create", "tokenreviews") == []
        assert bench.alerts() == {"a1": "firing"}

    play(story, authorizer=TokenFile(path))
