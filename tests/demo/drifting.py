"""The months: traffic moves away from what was learned, an alert tells, one run follows, and the gate judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.support.kubectl import Manifest, TimedOut, ticks

from .flights import partition
from .lake import Lake
from .monitoring import Alert, Monitoring, selector
from .overlay import WINDOW
from .player import Player
from .replay import DELAY, SECONDS
from .timeline import Timeline

MONITOR = "inputs"
ALERT = "ModelInputDrift"
PSI = "steadfit:drift_psi"
LABELLED = 0.5
"""Share of a month after which its first half is in the lake with outcomes."""
PATIENCE = 2 * SECONDS
"""How long after a month an alert may fire while nothing starts yet (a cooldown)."""


@dataclass
class Months:
    """The story's months, until a version is better than the one that serves.

    Attributes
    ----------
    live
        `status.live` of the ModelDeployment.
    runs
        Names of the runs that alerts started.
    """

    timeline: Timeline
    lake: Lake
    player: Player
    monitoring: Monitoring
    name: str
    live: dict[str, Any]
    runs: list[str] = field(default_factory=list)
    _told: float = 0.0
    _posted_before: int = 0

    def play(self, months: range) -> Manifest:
        """Let month follow month; return the version that passed the gate.

        The first one is being played already. Each is followed by the next without a pause, whatever comes of it.

        Raises
        ------
        TimedOut
            When none does.
        """
        self._posted_before = self.monitoring.notifications()
        for month in months:
            version = self._month(month)
            if version is not None and version["status"]["phase"] == "Verified":
                return version
            for half in (0, 1):
                self.lake.arrive(month, half)
            self.timeline.note(f"{partition(month)} is over and in the lake; {self.live['version']} goes on serving")
        raise TimedOut(f"no month from {partition(months[0])} to {partition(months[-1])} brought a better version")

    def _month(self, month: int) -> Manifest | None:
        """Watch one month; return the version that a run of it brought, None if none started."""
        self.timeline.note(f"traffic: the flights of {partition(month)}; outcomes are posted back after {DELAY:.0f} s")
        labelled, drifted, alert, value = False, False, None, None
        for _ in ticks(SECONDS + PATIENCE, interval=3.0):
            self.timeline.tell_events()
            played = self.player.played(month)
            if not labelled and played >= LABELLED:
                self.timeline.note(f"the first half of {self.lake.arrive(month, half=0)} is in the lake")
                labelled = True
                self.lake.to_be_played(month + 1)
                self.player.play(month + 1)
            value, samples = self._drift()
            self._tell(value, samples)
            if not drifted and self._above(value, samples):
                self._step_drifted(month, value, samples)
                drifted = True
            if alert is None and drifted:
                alert = self._alerted()
            run = self._started()
            if alert is not None and run is not None:
                return self._judged(alert, run)
            if played >= 1 and value is not None and not drifted:
                return None
        if value is None:
            raise TimedOut(f"Prometheus has no {selector(PSI + ':weighted', **self._labels())}")
        return None

    def _drift(self) -> tuple[float | None, float | None]:
        labels = self._labels()
        return self.monitoring.value(f"{PSI}:weighted", **labels), self.monitoring.value(
            "steadfit:predictions_count", **labels
        )

    def _labels(self) -> dict[str, str]:
        version = str(self.live["number"])
        return {"namespace": self.name, "model": self.name, "version": version, "window": WINDOW}

    def _tell(self, value: float | None, samples: float | None) -> None:
        """Say where drift stands, every ten seconds."""
        elapsed = self.timeline.elapsed()
        if value is not None and elapsed - self._told >= 10:
            self._told = elapsed
            self.timeline.note(f"  drift of {self.live['version']}'s inputs: {value:.2f} ({samples or 0:.0f} flights)")

    @cached_property
    def _monitor(self) -> Manifest:
        deployment = self.timeline.kubectl.get("modeldeployment", self.name)
        assert deployment is not None
        found: Manifest = next(each for each in deployment["spec"]["monitors"] if each["name"] == MONITOR)
        return found

    def _above(self, value: float | None, samples: float | None) -> bool:
        if value is None or samples is None:
            return False
        monitor = self._monitor
        return bool(value > monitor["drift"]["max"] and samples >= monitor["minSamples"])

    def _step_drifted(self, month: int, value: float | None, samples: float | None) -> None:
        labels = self._labels()
        features = self.monitoring.by("feature", PSI, **labels)
        auc = self.monitoring.value("steadfit:quality_roc_auc", **labels)
        level = self._monitor["drift"]["max"]
        self.timeline.step(
            "drifted",
            f"{value:.2f} is above {level}: the flights of {partition(month)} are not those that"
            f" {self.live['version']} learned from",
            series=f"{PSI}:weighted",
            labels=labels,
            value=value,
            level=level,
            samples=samples,
            features=dict(list(features.items())[:5]),
            rocAuc=auc,
            revision=self.live["revision"],
            digest=self.live["digest"],
        )

    def _alerted(self) -> Alert | None:
        """Return the alert once Alertmanager has it and the TrainingJob too."""
        alert = self.monitoring.alert(alertname=ALERT, namespace=self.name, model=self.name)
        job = self.timeline.kubectl.get("trainingjob", self.name)
        assert job is not None
        if alert is None:
            return None
        stored = [each for each in job["status"].get("alerts", []) if each["fingerprint"] == alert["fingerprint"]]
        if not stored:
            return None
        self.timeline.step(
            "alerted",
            f"{ALERT} {alert['fingerprint']} fires since {alert['startsAt']}",
            fingerprint=alert["fingerprint"],
            alertname=ALERT,
            startsAt=alert["startsAt"],
            labels=alert["labels"],
            trigger=stored[0]["trigger"],
            receivedAt=stored[0]["receivedAt"],
            trainingJob=job["metadata"]["uid"],
        )
        return alert

    def _by_alert(self) -> list[Manifest]:
        runs = self.timeline.kubectl.list("trainingruns")
        return [run for run in runs if run["spec"]["cause"]["type"] == "Alert"]

    def _started(self) -> Manifest | None:
        """Return a run that an alert started and that was not told yet."""
        return next((run for run in self._by_alert() if run["metadata"]["name"] not in self.runs), None)

    def _judged(self, alert: Alert, started: Manifest) -> Manifest:
        """Tell the run and the verdict; return the version.

        Raises
        ------
        TimedOut
            When the run takes too long or brings nothing, or when it is not the only one.
        """
        name = started["metadata"]["name"]
        before = len(self.runs)
        run = self.timeline.until(
            "trainingrun",
            name,
            lambda r: r["status"].get("phase") in ("Succeeded", "Failed"),
            timeout=240,
            what="the run ends",
        )
        if run["status"]["phase"] == "Failed":
            raise TimedOut(f"{name} failed: {run['status'].get('failure')}")
        version = self.timeline.until(
            "modelversion",
            run["status"]["version"],
            lambda v: v.get("status", {}).get("phase"),
            timeout=60,
            what="the version is judged",
        )
        self.runs = sorted(each["metadata"]["name"] for each in self._by_alert())
        if len(self.runs) != before + 1:
            raise TimedOut(f"one alert started {len(self.runs) - before} runs: {self.runs}")
        notifications = self.monitoring.notifications() - self._posted_before
        self.timeline.step(
            "retrained",
            f"{name}, one run for {notifications} posts of Alertmanager, because: {run['spec']['cause']['message']}",
            run=run["metadata"]["uid"],
            cause=run["spec"]["cause"]["type"],
            trigger=run["spec"]["cause"].get("trigger"),
            fingerprint=alert["fingerprint"],
            runsByAlerts=len(self.runs),
            notifications=notifications,
            attempts=len(run["status"]["attempts"]),
        )
        self._step_gated(run, version)
        return version

    def _step_gated(self, run: Manifest, version: Manifest) -> None:
        champion = version["spec"]["evaluation"].get("champion") or {}
        gate = version["status"].get("gate") or {}
        self.timeline.step(
            "gated",
            f"{version['metadata']['name']} is {version['status']['phase']}: {gate.get('message', '')}",
            run=run["metadata"]["uid"],
            version=version["metadata"]["uid"],
            phase=version["status"]["phase"],
            verdict=gate.get("verdict"),
            message=gate.get("message"),
            margin=gate.get("margin"),
            digest=version["spec"]["artifact"]["digest"],
            championDigest=champion.get("digest"),
            liveDigest=self.live["digest"],
            rows=champion.get("rows"),
            holdoutDigest=version["spec"]["evaluation"].get("holdoutDigest"),
            difference=champion.get("difference"),
            interval=[champion.get("lower"), champion.get("upper")],
        )
