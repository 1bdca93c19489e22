from __future__ import annotations

from steadfit.app.engine.indexes import INDEXES
from steadfit.app.engine.observe import Observer
from steadfit.core import names
from steadfit.core.types import Compared, Platform, Signal, SourceHealth
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.resources import HTTP_ROUTES
from steadfit.prometheus.signals import Signals

from tests.unit.app import samples

PLATFORM = Platform("t", "s", "0", "u", "ca")


def observer(*objects: JSONObject) -> Observer:
    cache = Cache(INDEXES)
    for obj in objects:
        cache.put(obj)
    return Observer(cache, PLATFORM)


def test_a_training_job_sees_its_own_runs_versions_actions_and_stores() -> None:
    job = samples.training_job()
    observed = observer(
        job,
        samples.training_run("flights-r1"),
        samples.training_run("flights-of-a-former-one", uid="former"),
        samples.training_run("other-r1", "other"),
        samples.model_version("flights-v1"),
        samples.model_version("other-v1", "other"),
        samples.model_action("again"),
        samples.model_action("back", "ModelDeployment"),
        samples.artifact_store(),
        samples.namespace(team="ml"),
    ).training_job(job)
    assert observed.job.name == "flights"
    assert [run.name for run in observed.runs] == ["flights-r1"]
    assert [version.name for version in observed.versions] == ["flights-v1"]
    assert [action.name for action in observed.actions] == ["again"]
    assert [store.name for store in observed.stores.stores] == ["default"]
    assert observed.stores.namespace_labels == {"team": "ml"}


def test_runs_see_which_store_the_live_servers_of_each_deployment_write_to() -> None:
    version = samples.model_version("flights-v1")
    version["spec"]["storeRef"] = {"name": "old"}
    ref = {"revision": "r", "version": "flights-v1", "number": 1, "digest": version["spec"]["artifact"]["digest"]}
    live = {"live": {**ref, "templateDigest": "t", "since": "2026-11-30T00:00:00Z"}}
    job, run = samples.training_job(), samples.training_run("flights-r1")
    seen = observer(
        job,
        run,
        version,
        samples.model_deployment(status=live),
        samples.model_deployment("idle", "flights"),
        samples.model_deployment("others", "other", status=live),
    )
    assert seen.training_run(run).stores.captured_in == {"flights": "old"}
    assert seen.training_job(job).stores.captured_in == {"flights": "old"}


def test_a_training_run_sees_its_job_siblings_children_and_their_pods() -> None:
    run = samples.training_run("flights-r1")
    job = samples.batch_job("flights-r1-a1", run)
    observed = observer(
        samples.training_job(),
        run,
        samples.training_run("flights-r0"),
        samples.training_run("flights-of-a-former-one", uid="former"),
        job,
        samples.batch_job("stray", samples.training_run("flights-r0")),
        samples.pod("p", job),
        samples.pod("q", samples.batch_job("stray", run)),
        samples.model_version("flights-v1"),
    ).training_run(run)
    assert observed.job is not None
    assert [sibling.name for sibling in observed.siblings] == ["flights-of-a-former-one", "flights-r0"]
    assert [child["metadata"]["name"] for child in observed.workloads] == ["flights-r1-a1"]
    assert [child["metadata"]["name"] for child in observed.pods] == ["p"]
    assert [version.name for version in observed.versions] == ["flights-v1"]
    assert observed.platform == PLATFORM


def test_runs_that_evaluate_are_seen_by_themselves_alone() -> None:
    job, evaluation = samples.training_job(), samples.training_run("flights-e1", purpose="Evaluate")
    training = samples.training_run("flights-r1")
    seen = observer(job, training, evaluation, samples.training_run("flights-r0"))
    assert [run.name for run in seen.training_job(job).runs] == ["flights-r0", "flights-r1"]
    assert [run.name for run in seen.training_run(training).siblings] == ["flights-r0"]
    observed = seen.training_run(evaluation)
    assert observed.run.spec.purpose == "Evaluate"
    assert observed.job is not None


def test_a_training_job_of_the_same_name_but_another_uid_is_not_the_runs_own() -> None:
    run = samples.training_run("flights-r1", uid="former")
    assert observer(samples.training_job(), run).training_run(run).job is None


def test_a_model_version_sees_the_deployments_that_serve_its_training_job() -> None:
    version = samples.model_version("flights-v1")
    observed = observer(
        version,
        samples.training_job(),
        samples.model_deployment(),
        samples.model_deployment("shadow", "flights"),
        samples.model_deployment("other"),
    ).model_version(version)
    assert observed.job is not None
    assert [deployment.name for deployment in observed.deployments] == ["flights", "shadow"]


def test_a_model_deployment_sees_workloads_pods_and_whatever_service_has_its_name() -> None:
    deployment = samples.model_deployment()
    observed = observer(
        deployment,
        samples.training_job(),
        samples.model_version("flights-v1"),
        samples.workload("flights-abc", deployment),
        samples.workload("other-abc", samples.model_deployment("other")),
        samples.pod("p", labels={names.MODEL_DEPLOYMENT: "flights"}),
        samples.pod("q", labels={names.MODEL_DEPLOYMENT: "other"}),
        samples.service("flights"),
        samples.model_action("back", "ModelDeployment"),
    ).model_deployment(deployment)
    assert observed.job is not None
    assert [child["metadata"]["name"] for child in observed.workloads] == ["flights-abc"]
    assert [child["metadata"]["name"] for child in observed.pods] == ["p"]
    assert observed.service is not None
    assert [action.name for action in observed.actions] == ["back"]
    assert [version.name for version in observed.versions] == ["flights-v1"]


def test_a_model_deployment_sees_whatever_route_has_its_name_and_its_own_services_of_single_revisions() -> None:
    deployment, other = samples.model_deployment(), samples.model_deployment("other")
    labels = {names.REVISION: "abc"}
    observed = observer(
        deployment,
        samples.service("flights", **samples.owner(deployment)),
        samples.service("flights-abc", labels=labels, **samples.owner(deployment)),
        samples.service("other-abc", labels=labels, **samples.owner(other)),
        samples.http_route("flights"),
        samples.http_route("other"),
    ).model_deployment(deployment)
    assert observed.route is not None
    assert observed.route["metadata"]["name"] == "flights"
    assert [one["metadata"]["name"] for one in observed.services] == ["flights-abc"]
    assert observed.gateway_api


def test_a_model_deployment_sees_that_the_cluster_lacks_the_gateway_api() -> None:
    cache, deployment = Cache(INDEXES), samples.model_deployment()
    cache.put(deployment)
    cache.mark_lacking(HTTP_ROUTES)
    assert not Observer(cache, PLATFORM).model_deployment(deployment).gateway_api


def test_a_model_deployment_sees_the_runs_that_evaluate_for_it_and_no_others() -> None:
    deployment = samples.model_deployment()
    mine, others = ({"labels": {names.MODEL_DEPLOYMENT: name}} for name in ("flights", "other"))
    evaluations = [samples.training_run("mine", metadata=mine), samples.training_run("others", metadata=others)]
    for run in evaluations:
        run["spec"]["purpose"] = "Evaluate"
    observed = observer(
        deployment, *evaluations, samples.training_run("trains", metadata=mine), samples.training_run("unlabelled")
    ).model_deployment(deployment)
    assert [run.name for run in observed.evaluations] == ["mine"]


def test_a_model_action_sees_its_target_and_the_other_actions_on_it() -> None:
    action = samples.model_action("again")
    seen = observer(action, samples.model_action("before"), samples.training_job(), samples.model_deployment())
    observed = seen.model_action(action)
    assert observed.target is not None
    assert type(observed.target).__name__ == "TrainingJob"
    assert [sibling.name for sibling in observed.siblings] == ["before"]
    assert seen.model_action(samples.model_action("x", target="missing")).target is None


def test_an_object_that_has_changed_is_read_anew() -> None:
    cache = Cache(INDEXES)
    seen = Observer(cache, PLATFORM)
    first = samples.artifact_store()
    assert seen.artifact_store(first).store is seen.artifact_store(first).store
    second = {**first, "metadata": {**first["metadata"], "resourceVersion": "2"}, "spec": {**first["spec"]}}
    second["spec"]["uriPrefix"] = "s3://elsewhere/"
    assert seen.artifact_store(second).store.spec.uri_prefix == "s3://elsewhere/"


def test_the_rules_see_every_model_deployment_that_can_be_read() -> None:
    unreadable = {**samples.model_deployment("c"), "spec": {"monitors": "none"}}
    seen = observer(samples.model_deployment("a"), samples.model_deployment("b"), unreadable, samples.training_job())
    assert [deployment.name for deployment in seen.model_deployments()] == ["a", "b"]


LIVE = {
    "revision": "r", "version": "flights-v3", "number": 3, "digest": "d", "templateDigest": "t",
    "since": "2026-01-01T00:00:00Z",
}  # fmt: skip
MONITORS = [
    {"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"},
    {"name": "errors", "errorRate": {"max": 0.1}},
]


def watched(name: str, **status: object) -> JSONObject:
    deployment = samples.model_deployment(name)
    return {**deployment, "spec": {"monitors": MONITORS}, "status": status}


def test_what_serves_and_is_watched_by_the_operator_is_to_be_measured() -> None:
    unreadable = {**watched("unreadable", live=LIVE), "spec": {"monitors": "none"}}
    seen = observer(
        samples.namespace(team="ml"),
        watched("flights", live=LIVE),
        watched("without-a-version"),
        unreadable,
        {**watched("unwatched", live=LIVE), "spec": {"monitors": MONITORS[1:]}},
        samples.metric_source(),
    )
    (live,) = seen.live_models()
    assert (live.namespace, live.name, live.version) == ("ns", "flights", 3)
    assert [monitor.name for monitor in live.monitors] == ["drift"]
    assert live.namespace_labels == {"team": "ml"}
    assert [source.name for source in seen.sources()] == ["default"]


def test_a_model_deployment_sees_its_signals_and_a_metric_source_its_health() -> None:
    deployment, source = watched("flights", live=LIVE), samples.metric_source()
    cache, signals = Cache(INDEXES), Signals()
    for obj in (deployment, source):
        cache.put(obj)
    seen = Observer(cache, PLATFORM, signals)
    (live,) = seen.live_models()
    signals.record(live, live.monitors[0], Signal(0.3, 1000), 0)
    signals.record_health(seen.sources()[0], SourceHealth(""))
    assert seen.model_deployment(deployment).signals == {"drift": Signal(0.3, 1000)}
    assert seen.metric_source(source).health == SourceHealth("")


def test_the_poller_measures_what_the_operator_acts_on_and_every_query() -> None:
    monitors = [
        {"name": "left-to-prometheus", "errorRate": {"max": 0.1}},
        {"name": "drift", "drift": {"max": 0.2}, "action": "Retrain"},
        {"name": "query", "query": {"promQL": "vector(1)", "max": 1}},
        {"name": "errors", "errorRate": {"max": 0.1}, "action": "Rollback"},
        {"name": "quality", "quality": {"metric": "accuracy", "min": 0.7}, "action": "Recover"},
    ]
    reference = {"revision": "r", "version": "v", "number": 3, "digest": "d", "templateDigest": "t"}
    status = {"live": {**reference, "since": "2026-01-01T00:00:00Z"}}
    deployment = {**samples.model_deployment(), "spec": {"monitors": monitors}, "status": status}
    (live,) = observer(deployment, samples.namespace()).live_models()
    assert [monitor.name for monitor in live.monitors] == ["drift", "query", "errors", "quality"]


def canary(name: str, phase: str = "Analysing") -> JSONObject:
    candidate = {**LIVE, "revision": "c", "number": 4, "phase": phase}
    begun = {"championRevision": "r", "analysedSince": "2026-01-01T00:00:00Z"}
    return {**samples.model_deployment(name), "status": {"live": LIVE, "candidate": {**candidate, **begun}}}


def test_a_candidate_that_takes_traffic_is_to_be_compared_with_its_champion() -> None:
    seen = observer(samples.namespace(team="ml"), canary("flights"), canary("early", "Starting"), watched("without"))
    (trial,) = seen.trials()
    assert (trial.namespace, trial.name, trial.version) == ("ns", "flights", 4)
    assert (trial.revision, trial.champion_revision) == ("c", "r")
    assert trial.namespace_labels == {"team": "ml"}


def test_a_model_deployment_sees_what_was_measured_of_its_candidate() -> None:
    deployment = canary("flights")
    cache, signals = Cache(INDEXES), Signals()
    cache.put(deployment)
    seen = Observer(cache, PLATFORM, signals)
    (trial,) = seen.trials()
    signals.comparisons.record(trial, trial.analysis.metrics[0], Compared("q", reason="why"), 0)
    assert seen.model_deployment(deployment).compared == {"error-rate": Compared("q", reason="why")}


def test_a_model_version_sees_the_jobs_that_write_for_it_their_pods_and_its_stores() -> None:
    version = samples.model_version("flights-v1")
    job = samples.batch_job("flights-v1-quarantine", version)
    observed = observer(
        version,
        job,
        samples.pod("p", job),
        samples.batch_job("stray", samples.training_run("flights-r0")),
        samples.artifact_store(),
        samples.namespace(team="ml"),
    ).model_version(version)
    assert [child["metadata"]["name"] for child in observed.workloads] == ["flights-v1-quarantine"]
    assert [child["metadata"]["name"] for child in observed.pods] == ["p"]
    assert [store.name for store in observed.stores.stores] == ["default"]
    assert observed.stores.namespace_labels == {"team": "ml"}
    assert observed.platform == PLATFORM
