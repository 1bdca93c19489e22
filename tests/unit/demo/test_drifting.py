"""The story of the months, told with a world that is made up: when it goes on, and when it stops."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.demo import drifting
from tests.demo.drifting import Months
from tests.demo.timeline import Timeline
from tests.support.kubectl import Manifest, TimedOut

LIVE = {"version": "flights-v1", "number": 1, "revision": "r1", "digest": "sha256:1"}
ALERT = {"fingerprint": "f00d", "startsAt": "2026-01-01T00:00:00Z", "labels": {"alertname": "ModelInputDrift"}}
QUIET, MOVED = 0.2, 0.6


class World:
    """Cluster, Prometheus, Alertmanager, lake and player in one; a month is over after eight looks at it.

    Args:
        drift: of each month, from its middle on.
        verdicts: of the runs, in their order.
        runs_for_an_alert: how many start at once.
    """

    def __init__(self, drift: dict[int, float], verdicts: list[str], runs_for_an_alert: int = 1) -> None:
        self.namespace = "flights"
        self.drift, self.verdicts, self.runs_for_an_alert = drift, verdicts, runs_for_an_alert
        self.month, self.looks = min(drift), 0
        self.asked_for = 0
        self.landed: list[tuple[int, int | None]] = []
        self.at_the_start: list[list[tuple[int, int | None]]] = []
        self.runs: list[Manifest] = []
        self.alerting = False
        self.mute = False

    # The player.
    def play(self, month: int) -> None:
        self.asked_for = month

    def played(self, month: int) -> float:
        if self.looks == 8 and self.asked_for > self.month:
            self.month, self.looks = self.asked_for, 0
        self.looks += 1
        return self.looks / 8 + self.month - month

    # The lake.
    def to_be_played(self, month: int) -> None:
        pass

    def arrive(self, month: int, half: int | None = None) -> str:
        self.landed.append((month, half))
        return f"month {month}"

    # Prometheus and Alertmanager.
    def value(self, series: str, **labels: str) -> float | None:
        if self.mute:
            return None
        if series == "steadfit:predictions_count":
            return 22_000.0
        return self.drift.get(self.month, QUIET) if self.looks >= 5 else QUIET

    def by(self, label: str, series: str, **labels: str) -> dict[str, float]:
        return {"temp": 1.0}

    def alert(self, **labels: str) -> dict[str, Any] | None:
        if not self.alerting:
            self.alerting = True
            for _ in range(self.runs_for_an_alert):
                self._start()
        return ALERT

    def notifications(self) -> int:
        return 3

    # The cluster.
    def _start(self) -> None:
        self.at_the_start.append(list(self.landed))
        number = len(self.runs) + 2
        self.runs.append(
            {
                "metadata": {"name": f"run-{number}", "uid": f"uid-{number}"},
                "spec": {"cause": {"type": "Alert", "trigger": "drift", "message": "ModelInputDrift"}},
                "status": {"phase": "Succeeded", "version": f"flights-v{number}", "attempts": [{}]},
            }
        )

    def get(self, kind: str, name: str) -> Manifest | None:
        if kind == "trainingrun":
            return next(run for run in self.runs if run["metadata"]["name"] == name)
        if kind == "modelversion":
            self.alerting = False
            phase = self.verdicts[int(name.removeprefix("flights-v")) - 2]
            return {
                "metadata": {"name": name, "uid": name},
                "spec": {"artifact": {"digest": "sha256:2"}, "evaluation": {"champion": {"digest": "sha256:1"}}},
                "status": {"phase": phase, "gate": {"verdict": "Pass", "message": "as good"}},
            }
        if kind == "modeldeployment":
            return {"spec": {"monitors": [{"name": "inputs", "drift": {"max": 0.35}, "minSamples": 20_000}]}}
        stored = {"fingerprint": ALERT["fingerprint"], "trigger": "drift", "receivedAt": "2026-01-01T00:00:01Z"}
        return {"metadata": {"uid": "job"}, "status": {"alerts": [stored]}}

    def list(self, kind: str, selector: str | None = None) -> list[Manifest]:
        return self.runs if kind == "trainingruns" else []


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    def ticks(timeout: float, interval: float = 0.5) -> Iterator[float]:
        yield from range(int(timeout / interval))

    monkeypatch.setattr(drifting, "ticks", ticks)


def told(world: Any, months: range) -> tuple[Manifest, list[dict[str, Any]]]:
    timeline = Timeline(world)
    version = Months(timeline, world, world, world, "flights", LIVE).play(months)
    return version, timeline.steps


def names(steps: list[dict[str, Any]]) -> list[str]:
    return [step["name"] for step in steps]


def test_a_quiet_month_is_over_without_a_step_and_joins_the_lake_whole() -> None:
    world = World({2: QUIET, 3: MOVED}, ["Verified"])
    _, steps = told(world, range(2, 4))
    assert names(steps) == ["drifted", "alerted", "retrained", "gated"]
    assert world.at_the_start == [[(2, 0), (2, 0), (2, 1), (3, 0)]]


def test_a_refused_candidate_is_followed_by_the_next_month() -> None:
    world = World({3: MOVED, 4: MOVED}, ["Rejected", "Verified"])
    version, steps = told(world, range(3, 7))
    assert names(steps) == ["drifted", "alerted", "retrained", "gated"] * 2
    assert version["metadata"]["name"] == "flights-v3"
    assert [step["detail"]["phase"] for step in steps if step["name"] == "gated"] == ["Rejected", "Verified"]


def test_the_steps_name_the_alert_the_run_and_both_digests() -> None:
    _, steps = told(World({3: MOVED}, ["Verified"]), range(3, 4))
    details = {step["name"]: step["detail"] for step in steps}
    assert details["drifted"]["value"] == MOVED
    assert details["drifted"]["labels"]["version"] == "1"
    assert details["alerted"]["fingerprint"] == details["retrained"]["fingerprint"] == "f00d"
    assert details["retrained"]["run"] == details["gated"]["run"] == "uid-2"
    assert (details["gated"]["digest"], details["gated"]["championDigest"]) == ("sha256:2", "sha256:1")


def test_two_runs_for_one_alert_stop_the_story() -> None:
    with pytest.raises(TimedOut, match="one alert started 2 runs"):
        told(World({3: MOVED}, ["Verified", "Verified"], runs_for_an_alert=2), range(3, 4))


def test_a_year_without_a_better_version_stops_the_story() -> None:
    with pytest.raises(TimedOut, match="brought a better version"):
        told(World({3: QUIET, 4: QUIET}, []), range(3, 5))


def test_a_prometheus_without_rules_stops_the_story_in_a_sentence() -> None:
    world = World({3: MOVED}, [])
    world.mute = True
    with pytest.raises(TimedOut, match=r'Prometheus has no steadfit:drift_psi:weighted{namespace="flights"'):
        told(world, range(3, 5))
