from __future__ import annotations

from steadfit.app.indexes import INDEXES
from steadfit.app.observe import Observer
from steadfit.core import names
from steadfit.core.types import Platform
from steadfit.kube.cache import Cache, JSONObject

from . import samples

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
    assert [child["metadata"]["name"] for child in observed.jobs] == ["flights-r1-a1"]
    assert [child["metadata"]["name"] for child in observed.pods] == ["p"]
    assert [version.name for version in observed.versions] == ["flights-v1"]
    assert observed.platform == PLATFORM


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


def test_the_rules_see_every_model_deployment() -> None:
    seen = observer(samples.model_deployment("a"), samples.model_deployment("b"), samples.training_job())
    assert [deployment.name for deployment in seen.model_deployments()] == ["a", "b"]
