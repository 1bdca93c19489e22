"""Alerts over HTTP, against the fake API server: who may post them, what is understood, and what is stored."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from steadfit.app.alert_auth import Doorkeeper, Reviews, TokenFile
from steadfit.app.alert_intake import ANSWER_SECONDS, MAX_BODY, MAX_BYTES, MAX_CONCURRENT, AlertIntake
from steadfit.app.alert_targets import REMEMBERED_SECONDS, Targets
from steadfit.app.alert_writer import WRITE_SECONDS, AlertWriter
from steadfit.app.clock import SystemClock
from steadfit.app.intake import Intake
from steadfit.app.servers import listening
from steadfit.core.alert_merge import MAX_ALERTS
from steadfit.kube.api import APIServer
from steadfit.kube.resources import TRAINING_JOBS

from tests.sim import schema

from .fakeapi import FakeAPI, Fault

FULL = 9_000
"""Alerts that fit into one message."""
SENDER = "system:serviceaccount:monitoring:alertmanager"
SPEC = {"triggers": [{"name": "drift", "alert": {"matchLabels": {"alertname": "ModelInputDrift"}}}]}


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


class Bench:
    """A TrainingJob that wants alerts, a sender who may post them, and replicas of the intake."""

    def __init__(self, fake: FakeAPI, intakes: list[AlertIntake], urls: list[str]) -> None:
        self.fake = fake
        self.intakes = intakes
        self.urls = urls
        fake.tokens["good"] = {"authenticated": True, "user": {"username": SENDER, "groups": ["system:authenticated"]}}
        fake.allowed.add((SENDER, "post", "/v1/alerts"))
        self.job("flights")

    def job(self, name: str, namespace: str = "shop", spec: Mapping[str, Any] = SPEC) -> None:
        self.fake.store.create(TRAINING_JOBS, (namespace, name), {"spec": dict(spec)})

    def status(self, name: str = "flights", namespace: str = "shop") -> dict[str, Any]:
        return dict(self.fake.store.get(TRAINING_JOBS, (namespace, name))["status"])

    def alerts(self, name: str = "flights", namespace: str = "shop") -> dict[str, str]:
        """What is stored: status by fingerprint."""
        entries = self.status(name, namespace).get("alerts", [])
        assert len({entry["fingerprint"] for entry in entries}) == len(entries)
        return {entry["fingerprint"]: entry["status"] for entry in entries}

    def writes(self) -> int:
        return len(self.fake.seen("patch", "trainingjobs"))

    async def tell(self, body: Any, replica: int) -> Answer:
        """Post as Alertmanager does: again after a 5xx."""
        for _ in range(20):
            answer = await self.post(body, replica=replica)
            if answer.status < 500:
                break
            await asyncio.sleep(0.5)
        return answer

    async def post(self, body: Any, token: str | None = "good", replica: int = 0, encoding: str = "") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Encoding": encoding} if encoding else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.urls[replica]}/v1/alerts", data=data, headers=headers) as response,
        ):
            return Answer(response.status, await response.json(), response.headers)


def alert(fingerprint: str = "a1", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager 0.25 sends it."""
    wanted = {"alertname": "ModelInputDrift", "namespace": "shop", "model": "flights", **labels}
    return {
        "status": status,
        "labels": {name: value for name, value in wanted.items() if value},
        "annotations": {"summary": "the inputs moved"},
        "startsAt": "2026-03-01T12:00:00.123456789+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": fingerprint,
    }


def message(*alerts: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{namespace="shop"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "steadfit",
        "groupLabels": {"namespace": "shop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **changes,
    }


def play(
    story: Callable[[Bench], Awaitable[None]],
    replicas: int = 1,
    doorkeeper: Doorkeeper | None = None,
    watched: tuple[str, ...] = (),
) -> None:
    async def main() -> None:
        fake = FakeAPI()
        async with fake.running(), AsyncExitStack() as stack:
            intakes, urls = [], []
            for number in range(replicas):
                client = APIServer(fake.configuration)
                stack.push_async_callback(client.close)
                intake = AlertIntake(
                    doorkeeper or Reviews(client),
                    Targets(client, watched),
                    AlertWriter(client, Random(number)),
                    SystemClock(),
                )
                application = Intake(client).application()
                intake.join(application)
                port = await stack.enter_async_context(listening(application, 0, host="127.0.0.1"))
                intakes.append(intake)
                urls.append(f"http://127.0.0.1:{port}")
            await story(Bench(fake, intakes, urls))

    asyncio.run(main())


def test_an_alert_that_a_trigger_asks_for_is_stored_when_it_is_answered() -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(message(alert(severity="warning"), alert("b2", model="ships")))
        assert (answer.status, answer.body) == (200, {"alerts": {"stored": 1, "no_match": 1}})
        (entry,) = bench.status()["alerts"]
        received = datetime.fromisoformat(entry.pop("receivedAt"))
        assert abs((SystemClock().now() - received).total_seconds()) < 30
        assert entry == {
            "fingerprint": "a1",
            "alertname": "ModelInputDrift",
            "status": "firing",
            "trigger": "drift",
            "startsAt": "2026-03-01T11:00:00Z",
            "labels": {"alertname": "ModelInputDrift"},
        }

    play(story)


def test_only_the_alerts_of_the_status_are_written_and_only_over_what_was_read() -> None:
    async def story(bench: Bench) -> None:
        stored = bench.fake.store.get(TRAINING_JOBS, ("shop", "flights"))
        bench.fake.store.update(
            TRAINING_JOBS, ("shop", "flights"), {**stored, "status": {"observedGeneration": 1}}, status=True
        )
        await bench.post(message(alert()))
        (patch,) = bench.fake.seen("patch", "trainingjobs")
        assert patch.path.endswith("/status")
        assert set(patch.body["status"]) == {"alerts", "alertsDropped"}
        assert {"uid", "resourceVersion"} <= set(patch.body["metadata"])
        assert bench.status()["observedGeneration"] == 1

    play(story)


def test_the_published_schema_takes_what_is_written_into_a_fresh_status() -> None:
    async def story(bench: Bench) -> None:
        await bench.post(message(alert(), alert("b2")))
        written = {"kind": "TrainingJob", "metadata": {"name": "flights"}, "status": bench.status()}
        stored, errors = schema.admit("TrainingJob", written, None)
        assert [error for error in errors if "spec" not in error] == []
        assert stored["status"]["alerts"] == bench.status()["alerts"]

    play(story)


def test_an_alert_that_ends_is_stored_as_resolved() -> None:
    async def story(bench: Bench) -> None:
        await bench.post(message(alert("a1"), alert("b2")))
        answer = await bench.post(message(alert("a1", "resolved"), alert("b2"), status="resolved"))
        assert answer.body == {"alerts": {"stored": 1, "unchanged": 1}}
        assert bench.alerts() == {"a1": "resolved", "b2": "firing"}

    play(story)


def test_repeated_alerts_are_answered_without_another_write() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(5):
            assert (await bench.post(message(alert()))).status == 200
        assert bench.writes() == 1
        assert bench.intakes[0].statistics().results["unchanged"] == 4

    play(story)


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"namespace": ""}, "no_namespace"),
        ({"namespace": "nowhere"}, "no_match"),
        ({"namespace": "../shop"}, "unknown_namespace"),
        ({"namespace": "Shop"}, "unknown_namespace"),
        ({"namespace": "x" * 64}, "unknown_namespace"),
        ({"namespace": "other"}, "no_match"),
        ({"model": "ships"}, "no_match"),
        ({"model": ""}, "no_match"),
        ({"alertname": "NodeDown"}, "no_match"),
    ],
    ids=str,
)
def test_an_alert_that_concerns_nobody_is_counted_and_not_asked_for_again(
    changes: dict[str, str], result: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(bench: Bench) -> None:
        bench.job("flights", "other", {"triggers": []})
        answer = await bench.post(message(alert(**changes)))
        assert (answer.status, answer.body) == (200, {"alerts": {result: 1}})
        assert bench.intakes[0].statistics().results[result] == 1
        assert bench.writes() == 0

    with caplog.at_level("INFO"):
        play(story)
    assert changes.get("alertname", "ModelInputDrift") in caplog.text


def test_an_alert_for_a_namespace_that_is_not_watched_is_not_acted_on() -> None:
    async def story(bench: Bench) -> None:
        bench.job("flights", "bank")
        answer = await bench.post(message(alert(), alert("b2", namespace="bank")))
        assert answer.body == {"alerts": {"stored": 1, "unknown_namespace": 1}}
        assert bench.alerts("flights", "bank") == {}

    play(story, watched=("shop",))


def test_an_operator_of_some_namespaces_never_lists_all() -> None:
    watched = tuple(f"n{number}" for number in range(20))

    async def story(bench: Bench) -> None:
        alerts = [alert(name, namespace=name) for name in watched]
        assert (await bench.post(message(*alerts))).body == {"alerts": {"no_match": 20}}
        paths = {request.path for request in bench.fake.seen("list", "trainingjobs")}
        assert len(paths) == 20
        assert all("/namespaces/" in path for path in paths)

    play(story, watched=watched)


def test_an_alert_reaches_no_training_job_of_another_namespace() -> None:
    async def story(bench: Bench) -> None:
        bench.job("flights", "bank")
        await bench.post(message(alert()))
        assert bench.alerts() == {"a1": "firing"}
        assert bench.alerts("flights", "bank") == {}

    play(story)


def test_a_training_job_that_is_being_deleted_takes_no_alerts() -> None:
    async def story(bench: Bench) -> None:
        metadata = bench.fake.store.objects[TRAINING_JOBS]["shop", "flights"]["metadata"]
        metadata["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        assert (await bench.post(message(alert()))).body == {"alerts": {"no_match": 1}}

    play(story)


def test_a_training_job_that_is_gone_when_it_is_written_is_no_failure() -> None:
    async def story(bench: Bench) -> None:
        await bench.post(message(alert(alertname="Other")))
        bench.fake.store.delete(TRAINING_JOBS, ("shop", "flights"))
        answer = await bench.post(message(alert()))
        assert (answer.status, answer.body) == (200, {"alerts": {"no_match": 1}})

    play(story)


def test_a_trigger_that_was_taken_away_a_moment_ago_stores_nothing() -> None:
    async def story(bench: Bench) -> None:
        await bench.post(message(alert(alertname="Other")))
        stored = bench.fake.store.get(TRAINING_JOBS, ("shop", "flights"))
        bench.fake.store.update(TRAINING_JOBS, ("shop", "flights"), {**stored, "spec": {}}, status=False)
        assert (await bench.post(message(alert()))).body == {"alerts": {"no_match": 1}}
        assert bench.alerts() == {}

    play(story)


def test_a_training_job_that_cannot_be_read_does_not_silence_the_others() -> None:
    async def story(bench: Bench) -> None:
        bench.job("broken", spec={"triggers": [{"name": "x", "alert": {"matchLabels": "all"}}]})
        assert (await bench.post(message(alert(), alert("b2", model="broken")))).body == {
            "alerts": {"stored": 1, "no_match": 1}
        }

    play(story)


def test_training_jobs_are_listed_once_in_a_few_seconds_however_many_alerts_come() -> None:
    async def story(bench: Bench) -> None:
        await asyncio.gather(*(bench.post(message(alert(f"a{number}"))) for number in range(20)))
        assert len(bench.fake.seen("list", "trainingjobs")) == 1
        bench.job("ships")
        await asyncio.sleep(REMEMBERED_SECONDS)
        assert (await bench.post(message(alert("s1", model="ships")))).body == {"alerts": {"stored": 1}}

    play(story)


# Bad messages


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in alert().items() if name != field}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the message"),
        (b"{}", "version"),
        (message(alert(), version="3"), "version"),
        (message(alert(), version=4), "version"),
        (message(alerts="all"), "alerts"),
        (message(alert(), truncatedAlerts=-1), "truncatedAlerts"),
        (message(alert(), alert("b2", "pending")), "alerts.1.status"),
        (message(alert(), without("status")), "alerts.1.status"),
        (message(alert(), without("labels")), "alerts.1.labels"),
        (message(alert(), without("fingerprint")), "alerts.1.fingerprint"),
        (message(alert(), without("startsAt")), "alerts.1.startsAt"),
        (message(alert(), alert() | {"labels": {}}), "alerts.1.labels"),
        (message(alert(), alert() | {"labels": {"namespace": 1}}), "alerts.1.labels.namespace"),
        (message(alert(), alert() | {"labels": ["namespace"]}), "alerts.1.labels"),
        (message(alert(), alert() | {"fingerprint": ""}), "alerts.1.fingerprint"),
        (message(alert(), alert() | {"fingerprint": "f" * 65}), "alerts.1.fingerprint"),
        (message(alert(), alert() | {"startsAt": 1772366400}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "yesterday"}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "2026-03-01T12:00:00"}), "alerts.1.startsAt"),
        (message(alert(), alert() | {"startsAt": "0001-01-01T00:00:00+05:00"}), "alerts.1.startsAt"),
        (message(alerts=[alert(), "ModelInputDrift"]), "alerts.1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_is_not_understood_is_refused_in_a_sentence_and_not_acted_on(body: Any, words: str) -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(body)
        assert answer.status == 400
        assert words in answer.body["error"]
        assert bench.alerts() == {}

    play(story)


def test_a_field_that_a_newer_alertmanager_adds_is_left_alone() -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(message(alert() | {"silenced": False}, mood="good"))
        assert answer.body == {"alerts": {"stored": 1}}

    play(story)


def test_a_message_without_alerts_is_answered() -> None:
    async def story(bench: Bench) -> None:
        assert (await bench.post(message())).body == {"alerts": {}}

    play(story)


def test_the_last_word_on_a_fingerprint_in_one_message_counts() -> None:
    async def story(bench: Bench) -> None:
        await bench.post(message(alert("a1")))
        await bench.post(message(alert("a1"), alert("a1", "resolved")))
        assert bench.alerts() == {"a1": "resolved"}

    play(story)


def test_alerts_that_alertmanager_left_out_are_counted() -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(message(alert(), truncatedAlerts=7))
        assert answer.body == {"alerts": {"stored": 1, "truncated": 7}}

    play(story)


def test_a_message_above_the_cap_is_refused_before_it_is_read() -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(json.dumps(message(alert())).encode().ljust(MAX_BODY + 1))
        assert answer.status == 413
        assert str(MAX_BODY) in answer.body["error"]
        assert (await bench.post(json.dumps(message(alert())).encode().ljust(MAX_BODY))).status == 200

    play(story)


def test_a_message_that_announces_more_than_the_cap_is_not_waited_for() -> None:
    async def story(bench: Bench) -> None:
        host, _, port = bench.urls[0].removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = ("POST /v1/alerts HTTP/1.1", f"Host: {host}", "Authorization: Bearer good", f"Content-Length: {2**31}")
        writer.write("\r\n".join((*lines, "", "")).encode())
        async with asyncio.timeout(60):
            assert b" 413 " in await reader.readline()
        writer.close()

    play(story)


def test_a_message_without_a_length_is_cut_off_at_the_cap() -> None:
    async def story(bench: Bench) -> None:
        async def endless() -> Any:
            for _ in range(20):
                yield b" " * (64 * 1024)

        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{bench.urls[0]}/v1/alerts", data=endless(), headers={"Authorization": "Bearer good"}
            ) as response,
        ):
            assert response.status == 413

    play(story)


def test_a_small_message_that_unpacks_to_a_big_one_is_cut_off_at_the_cap() -> None:
    async def story(bench: Bench) -> None:
        packed = gzip.compress(b" " * (64 * MAX_BODY))
        assert len(packed) < MAX_BODY
        assert (await bench.post(packed, encoding="gzip")).status == 413
        packed = gzip.compress(json.dumps(message(alert())).encode())
        assert (await bench.post(packed, encoding="gzip")).status == 200
        assert (await bench.post(b"no gzip", encoding="gzip")).status == 400

    play(story)


# Who may


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

    play(story, doorkeeper=TokenFile(path))


# When it cannot be done now


@pytest.mark.parametrize(
    ("verb", "plural"),
    [
        ("create", "tokenreviews"),
        ("create", "subjectaccessreviews"),
        ("list", "trainingjobs"),
        ("get", "trainingjobs"),
        ("patch", "trainingjobs"),
    ],
)
@pytest.mark.parametrize("code", [403, 429, 500, 503])
def test_an_api_server_that_does_not_do_it_is_a_503_and_the_repeat_is_stored(verb: str, plural: str, code: int) -> None:
    async def story(bench: Bench) -> None:
        bench.fake.faults[verb, plural] = Fault(code=code)
        answer = await bench.post(message(alert()))
        assert answer.status == 503
        assert "Retry-After" in answer.headers
        assert "injected" not in answer.body["error"]
        assert (await bench.post(message(alert()))).status == 200
        assert bench.alerts() == {"a1": "firing"}

    play(story)


def test_a_write_whose_answer_was_lost_is_repeated_without_harm() -> None:
    async def story(bench: Bench) -> None:
        bench.fake.faults["patch", "trainingjobs"] = Fault(drop=True, commit=True)
        assert (await bench.post(message(alert()))).status == 503
        assert (await bench.post(message(alert()))).body == {"alerts": {"unchanged": 1}}
        assert bench.alerts() == {"a1": "firing"}

    play(story)


def test_what_can_be_stored_is_stored_although_another_training_job_cannot_be_written() -> None:
    async def story(bench: Bench) -> None:
        for name in ("one", "two", "three"):
            bench.job(name)
        bench.fake.faults["patch", "trainingjobs"] = Fault(code=500)
        alerts = [alert(name, model=name) for name in ("one", "two", "three")]
        assert (await bench.post(message(*alerts))).status == 503
        stored = [name for name in ("one", "two", "three") if bench.alerts(name)]
        assert len(stored) == 2
        assert bench.intakes[0].statistics().results["failed"] == 1
        assert (await bench.post(message(*alerts))).body == {"alerts": {"stored": 1, "unchanged": 2}}

    play(story)


def test_an_answer_is_there_before_alertmanager_gives_up() -> None:
    assert WRITE_SECONDS < ANSWER_SECONDS < 10


def test_an_api_server_that_hangs_is_a_503_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadfit.app.alert_intake.ANSWER_SECONDS", 1.0)

    async def story(bench: Bench) -> None:
        bench.fake.faults["list", "trainingjobs"] = Fault(hang=20)
        assert (await bench.post(message(alert()))).status == 503
        bench.fake.faults["get", "trainingjobs"] = Fault(hang=20)
        assert (await bench.post(message(alert()))).status == 503
        assert bench.intakes[0].statistics().results["failed"] == 1

    play(story)


def test_endless_conflicts_are_a_503_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadfit.app.alert_writer.WRITE_SECONDS", 2.0)

    async def story(bench: Bench) -> None:
        bench.fake.faults["patch", "trainingjobs"] = Fault(times=10_000, code=409, reason="Conflict")
        assert (await bench.post(message(alert()))).status == 503
        # The pauses grow: it is not asked as fast as it answers.
        assert bench.writes() < 40
        bench.fake.faults.clear()
        assert (await bench.post(message(alert()))).status == 200

    play(story)


def test_too_many_messages_at_once_are_told_to_come_again_and_not_with_a_429() -> None:
    async def story(bench: Bench) -> None:
        bench.fake.faults["create", "tokenreviews"] = Fault(times=1000, hang=0.5)
        answers = await asyncio.gather(*(bench.post(message(alert())) for _ in range(MAX_CONCURRENT + 6)))
        statuses = Counter(answer.status for answer in answers)
        assert statuses == {200: MAX_CONCURRENT, 503: 6}
        assert bench.intakes[0].statistics().busy == 0

    play(story)


def test_messages_of_full_size_are_read_only_as_many_as_there_is_room_for() -> None:
    async def story(bench: Bench) -> None:
        bench.fake.faults["list", "trainingjobs"] = Fault(hang=1)
        full = json.dumps(message(alert())).encode().ljust(MAX_BODY)
        posts = MAX_BYTES // MAX_BODY + 4
        statuses = Counter(answer.status for answer in await asyncio.gather(*(bench.post(full) for _ in range(posts))))
        assert statuses[503] >= 4
        assert statuses[200] + statuses[503] == posts
        # Whatever was read is given back.
        assert (await bench.post(full)).status == 200

    play(story)


# Many


def test_sixteen_replicas_with_ten_alerts_each_lose_nothing() -> None:
    async def story(bench: Bench) -> None:
        names = [f"m{number}" for number in range(4)]
        for name in names:
            bench.job(name)
        told = {
            (replica, number): alert(f"f{replica}-{number}", model=names[number % 4])
            for replica in range(16)
            for number in range(10)
        }
        answers = await asyncio.gather(*(bench.tell(message(one), key[0]) for key, one in told.items()))
        assert {answer.status for answer in answers} == {200}
        stored = [fingerprint for name in names for fingerprint in bench.alerts(name)]
        assert sorted(stored) == sorted(one["fingerprint"] for one in told.values())

    play(story, replicas=16)


def test_sixteen_replicas_that_write_the_same_object_fill_it_without_loss() -> None:
    async def story(bench: Bench) -> None:
        posts = [
            bench.tell(message(alert(f"f{replica}-{number}")), replica) for replica in range(16) for number in range(4)
        ]
        assert {answer.status for answer in await asyncio.gather(*posts)} == {200}
        assert len(bench.alerts()) == MAX_ALERTS
        assert bench.status()["alertsDropped"] == 0

    play(story, replicas=16)


def test_a_thousand_alerts_in_three_copies_are_stored_once_each() -> None:
    async def story(bench: Bench) -> None:
        names = [f"m{number}" for number in range(20)]
        for name in names:
            bench.job(name)
        told = [alert(f"f{number}", model=names[number % 20]) for number in range(1000)]
        groups = [told[start : start + 100] for start in range(0, 1000, 100)]
        copies = [bench.tell(message(*group), copy) for copy in range(3) for group in groups]
        assert {answer.status for answer in await asyncio.gather(*copies)} == {200}
        stored = [fingerprint for name in names for fingerprint in bench.alerts(name)]
        assert sorted(stored) == sorted(one["fingerprint"] for one in told)
        written = sum(intake.statistics().results["stored"] for intake in bench.intakes)
        assert written >= 1000
        # Together in few writes: neither one for each alert nor one for each post and object.
        successful = bench.fake.store.version
        assert successful < 100 + 21 + 20 * 10 + 20

    play(story, replicas=3)


def test_alerts_that_arrive_while_one_is_written_go_together() -> None:
    async def story(bench: Bench) -> None:
        bench.fake.faults["patch", "trainingjobs"] = Fault(hang=0.5)
        answers = await asyncio.gather(*(bench.post(message(alert(f"f{number}"))) for number in range(30)))
        assert {answer.status for answer in answers} == {200}
        assert len(bench.alerts()) == 30
        assert bench.writes() == 2

    play(story)


def test_a_full_message_of_thousands_of_namespaces_is_answered_in_time_by_one_list() -> None:
    async def story(bench: Bench) -> None:
        for number in range(100):
            bench.job("m", f"{number:x}", {"triggers": [{"name": "all", "alert": {"matchLabels": {"model": "m"}}}]})
        body = many(FULL, lambda number: f"{number:x}")
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await bench.post(body)
        assert answer.body == {"alerts": {"stored": 100, "no_match": FULL - 100}}
        assert len(bench.fake.seen("list", "trainingjobs")) == 1

    play(story)


def test_a_full_message_for_one_training_job_leaves_as_many_as_fit_and_counts_the_rest() -> None:
    async def story(bench: Bench) -> None:
        bench.job("m", "n", {"triggers": [{"name": "all", "alert": {"matchLabels": {"model": "m"}}}]})
        body = many(FULL, lambda number: "n")
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await bench.post(body)
        assert answer.body == {"alerts": {"stored": MAX_ALERTS, "overflow": FULL - MAX_ALERTS}}
        assert len(bench.alerts("m", "n")) == MAX_ALERTS
        assert bench.status("m", "n")["alertsDropped"] == FULL - MAX_ALERTS
        assert bench.writes() == 1

    play(story)


def many(count: int, namespace: Callable[[int], str]) -> bytes:
    """A message of the smallest alerts there are."""
    alerts = [
        {
            "status": "firing",
            "labels": {"namespace": namespace(number), "model": "m"},
            "startsAt": "2026-03-01T12:00Z",
            "fingerprint": f"{number:x}",
        }
        for number in range(count)
    ]
    return json.dumps({"version": "4", "alerts": alerts}, separators=(",", ":")).encode()


def test_ten_thousand_alerts_in_one_message_are_above_the_cap_and_their_sender_is_told() -> None:
    async def story(bench: Bench) -> None:
        answer = await bench.post(many(10_000, lambda number: "shop"))
        assert answer.status == 413
        assert "group alerts" in answer.body["error"]
        assert bench.intakes[0].statistics().answers == {413: 1}

    play(story)
