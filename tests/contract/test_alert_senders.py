"""Who may post alerts: credentials, and the right that is asked for."""

from __future__ import annotations

from pathlib import Path

from steadfit.app.alerts.auth import TokenFile

from .alert_fixture import SENDER, AlertFixture, alert, message, play


def test_a_message_without_valid_credentials_is_refused_before_it_is_read() -> None:
    async def story(fixture: AlertFixture) -> None:
        for token in (None, "", "unknown", "x" * 5000):
            answer = await fixture.post(b"{", token=token)
            assert answer.status == 401, token
            assert answer.body["error"]
        assert fixture.alerts() == {}

    play(story)


def test_a_caller_without_the_right_is_refused_by_name() -> None:
    async def story(fixture: AlertFixture) -> None:
        fixture.fake.tokens["stranger"] = {"authenticated": True, "user": {"username": "jane"}}
        answer = await fixture.post(message(alert()), token="stranger")
        assert answer.status == 403
        assert "jane" in answer.body["error"]
        assert "steadfit-alert-sender" in answer.body["error"]
        assert fixture.alerts() == {}

    play(story)


def test_the_right_is_asked_for_with_all_that_the_token_says_and_not_again_for_a_while() -> None:
    async def story(fixture: AlertFixture) -> None:
        user = {"username": SENDER, "uid": "u1", "groups": ["g1"], "extra": {"pod": ["p1"]}}
        fixture.fake.tokens["good"] = {"authenticated": True, "user": user}
        for number in range(3):
            assert (await fixture.post(message(alert(f"a{number}")))).status == 200
        (token,) = fixture.fake.seen("create", "tokenreviews")
        assert token.body["spec"] == {"token": "good"}
        (access,) = fixture.fake.seen("create", "subjectaccessreviews")
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

    async def story(fixture: AlertFixture) -> None:
        assert (await fixture.post(message(alert()), token="secret")).status == 200
        assert (await fixture.post(message(alert("b2")), token="good")).status == 401
        assert (await fixture.post(message(alert("b2")), token=None)).status == 401
        assert fixture.fake.seen("create", "tokenreviews") == []
        assert fixture.alerts() == {"a1": "firing"}

    play(story, authorizer=TokenFile(path))
