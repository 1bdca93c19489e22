from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.app.alerts.handler import AlertStatistics
from steadfit.app.engine.engine import EngineStatistics
from steadfit.app.probes.frozen_rollbacks import FrozenRollbacks
from steadfit.app.probes.metrics import exposition
from steadfit.app.probes.outdated import OutdatedModels
from steadfit.app.results.handler import IntakeStatistics
from steadfit.app.tls.certificate import CertificateStatistics
from steadfit.app.watch.kopf_supervisor import SupervisorStatistics
from steadfit.kube.api import ClientStatistics
from steadfit.kube.cache import CacheStatistics
from steadfit.kube.events import RecorderStatistics
from steadfit.kube.lease import LeaseStatistics
from steadfit.kube.resync import ResyncStatistics
from steadfit.kube.workqueue import QueueStatistics
from steadfit.prometheus.poller import PollerStatistics

from tests.unit.app import samples as samples_of

ENGINE = EngineStatistics(
    queue=QueueStatistics(3, 1, 2, 1, 10, 4, 2.5),
    cache=CacheStatistics({"TrainingJob": 5}, 0, 20, 7),
    resync=ResyncStatistics(2, 1, 42.0, 3, 4, ["Job"]),
    events=RecorderStatistics(6, 5, 2, 0),
    passes={("TrainingJob", "idle"): 9, ("TrainingRun", "written"): 8},
    pass_seconds={"TrainingJob": 1.5},
    events_received=11,
)


def samples(page: bytes) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_every_part_is_on_the_page() -> None:
    found = samples(
        exposition(
            ENGINE,
            ClientStatistics({("list", "jobs", "200"): 12}, 1.0),
            LeaseStatistics(True, 30, 1, 0.5),
            CertificateStatistics(datetime(2026, 3, 1, tzinfo=UTC), 1, {"distrust": 5}),
            IntakeStatistics({202: 2, 403: 1}, 0),
            AlertStatistics({200: 4, 503: 1}, {"stored": 3, "no_match": 0}, 0),
            SupervisorStatistics(True, 3),
            PollerStatistics({("default", "Answered"): 4}),
        )
    )
    assert {name.removeprefix("steadfit_operator_"): value for name, value in found.items()} == {
        "queue_depth": 3,
        "queue_processing": 1,
        "queue_delayed": 2,
        "queue_failing": 1,
        "queue_adds_total": 10,
        "queue_retries_total": 4,
        "queue_wait_seconds_total": 2.5,
        "passes_total{kind=TrainingJob,outcome=idle}": 9,
        "passes_total{kind=TrainingRun,outcome=written}": 8,
        "pass_seconds_total{kind=TrainingJob}": 1.5,
        "cache_objects{kind=TrainingJob}": 5,
        "watch_events_total": 11,
        "cache_stale_news_total": 7,
        "resync_age_seconds": 42,
        "resync_failures_total": 1,
        "resync_repaired_changes_total": 3,
        "resync_repaired_deletions_total": 4,
        "watches_stale": 1,
        "events_written_total": 6,
        "events_dropped_total": 2,
        "api_requests_total{code=200,resource=jobs,verb=list}": 12,
        "lease_held": 1,
        "lease_renewals_total": 30,
        "lease_failures_total": 1,
        "certificate_expiry_timestamp_seconds": 1772323200,
        "certificate_renewals_total": 1,
        "handshake_failures_total{reason=distrust}": 5,
        "intake_requests_total{code=202}": 2,
        "intake_requests_total{code=403}": 1,
        "alert_requests_total{code=200}": 4,
        "alert_requests_total{code=503}": 1,
        "steadfit_alerts_total{result=stored}": 3,
        "steadfit_alerts_total{result=no_match}": 0,
        "watch_exits_total": 3,
        "metric_queries_total{result=Answered,source=default}": 4,
    }
    # Alerts are counted for those who write alert rules: they need not know who counts.
    ours = {name for name in found if not name.startswith("steadfit_alerts_total")}
    assert all(name.startswith("steadfit_operator_") for name in ours)


def test_each_model_says_whether_its_rollbacks_are_frozen() -> None:
    condition = {
        "type": "RollbacksFrozen",
        "reason": "RollbackLimitReached",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    frozen = samples_of.model_deployment("frozen")
    frozen["status"] = {"conditions": [{**condition, "status": "True"}]}
    models = [ModelDeployment.model_validate(one) for one in (frozen, samples_of.model_deployment("free"))]
    found = samples(exposition(FrozenRollbacks(lambda: models).statistics()))
    assert found == {
        "steadfit_operator_rollbacks_frozen{model=frozen,namespace=ns}": 1,
        "steadfit_operator_rollbacks_frozen{model=free,namespace=ns}": 0,
    }


def test_the_models_that_keep_the_pods_of_an_earlier_operator_alone_are_counted_by_namespace() -> None:
    condition = {"type": "UpToDate", "reason": "OlderPlatform", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    old = samples_of.model_deployment("old")
    old["status"] = {"conditions": [{**condition, "status": "False"}]}
    elsewhere = samples_of.model_deployment("elsewhere")
    elsewhere["metadata"]["namespace"] = "other"
    edited = samples_of.model_deployment("edited")
    edited["status"] = {"conditions": [{**condition, "status": "False", "reason": "OlderPodTemplate"}]}
    parts = (old, samples_of.model_deployment("new"), elsewhere, edited)
    models = [ModelDeployment.model_validate(one) for one in parts]
    assert samples(exposition(OutdatedModels(lambda: models).statistics())) == {
        "steadfit_operator_models_outdated{namespace=ns}": 1,
        "steadfit_operator_models_outdated{namespace=other}": 0,
    }


def test_nothing_is_carried_over_from_one_page_to_the_next() -> None:
    exposition(IntakeStatistics({403: 1}, 0))
    assert "code=403" not in str(samples(exposition(IntakeStatistics({202: 2}, 0))))
