from __future__ import annotations

import pytest
from steadfit.app.engine.affected_keys import keys_of
from steadfit.app.engine.indexes import INDEXES, is_new_action
from steadfit.core import names
from steadfit.kube.cache import Cache, JSONObject

from tests.unit.app import samples

RUN = samples.training_run("flights-r1")
DEPLOYMENT = samples.model_deployment()

WORLD = [
    samples.namespace(),
    samples.namespace("elsewhere"),
    samples.artifact_store(),
    samples.metric_source(),
    samples.training_job(),
    samples.training_job("other"),
    samples.training_job(namespace="elsewhere", metadata={"uid": "tj-elsewhere"}),
    RUN,
    samples.training_run("flights-r0", phase="Succeeded"),
    samples.training_run("other-r1", "other"),
    samples.model_version("flights-v1"),
    samples.model_version("other-v1", "other"),
    DEPLOYMENT,
    samples.model_deployment("shadow", "flights"),
    samples.model_deployment("other"),
    samples.model_action("again"),
    samples.model_action("back", "ModelDeployment"),
]


@pytest.mark.parametrize(
    ("news", "concerned"),
    [
        (
            samples.training_job(),
            {
                "TrainingJob ns/flights", "TrainingRun ns/flights-r1", "ModelVersion ns/flights-v1",
                "ModelDeployment ns/flights", "ModelDeployment ns/shadow", "ModelAction ns/again",
            },
        ),
        (RUN, {"TrainingRun ns/flights-r1", "TrainingJob ns/flights"}),
        (
            samples.training_run("flights-e1", metadata={"labels": {names.MODEL_DEPLOYMENT: "shadow"}}),
            {"TrainingRun ns/flights-e1", "TrainingJob ns/flights", "ModelDeployment ns/shadow"},
        ),
        (
            samples.model_version("flights-v1"),
            {
                "ModelVersion ns/flights-v1", "TrainingJob ns/flights", "TrainingRun ns/flights-r1",
                "ModelDeployment ns/flights", "ModelDeployment ns/shadow",
            },
        ),
        (
            DEPLOYMENT,
            {
                "ModelDeployment ns/flights", "TrainingJob ns/flights", "ModelVersion ns/flights-v1",
                "ModelAction ns/back",
            },
        ),
        (
            samples.model_deployment("shadow", "flights"),
            {"ModelDeployment ns/shadow", "TrainingJob ns/flights", "ModelVersion ns/flights-v1"},
        ),
        (samples.model_action("again"), {"ModelAction ns/again", "TrainingJob ns/flights"}),
        (
            samples.model_action("new", "ModelDeployment"),
            {"ModelAction ns/new", "ModelAction ns/back", "ModelDeployment ns/flights"},
        ),
        (
            samples.artifact_store(),
            {
                "ArtifactStore default", "TrainingJob ns/flights", "TrainingJob ns/other",
                "TrainingJob elsewhere/flights", "TrainingRun ns/flights-r1", "TrainingRun ns/other-r1",
                "ModelDeployment ns/flights", "ModelDeployment ns/shadow", "ModelDeployment ns/other",
            },
        ),
        (samples.metric_source(), {"MetricSource default"}),
        (samples.namespace("elsewhere"), {"TrainingJob elsewhere/flights"}),
        (samples.batch_job("flights-r1-a1", RUN), {"TrainingRun ns/flights-r1"}),
        (samples.pod("p", labels={names.TRAINING_RUN: "flights-r1"}), {"TrainingRun ns/flights-r1"}),
        (samples.pod("p", labels={names.MODEL_DEPLOYMENT: "flights"}), {"ModelDeployment ns/flights"}),
        (
            samples.batch_job("flights-v1-quarantine", samples.model_version("flights-v1")),
            {"ModelVersion ns/flights-v1"},
        ),
        (samples.pod("p", labels={names.MODEL_VERSION: "flights-v1"}), {"ModelVersion ns/flights-v1"}),
        (samples.workload("flights-abc", DEPLOYMENT), {"ModelDeployment ns/flights"}),
        (samples.service("flights"), {"ModelDeployment ns/flights"}),
        (samples.http_route("flights"), {"ModelDeployment ns/flights"}),
        (samples.pod("stray"), set()),
    ],
    ids=lambda value: value["kind"] + " " + value["metadata"]["name"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_news_of_an_object_concerns(news: JSONObject, concerned: set[str]) -> None:
    cache = Cache(INDEXES)
    for obj in WORLD:
        cache.put(obj)
    assert {str(key) for key in keys_of(cache, news)} == concerned


def test_news_of_a_store_and_a_namespace_concern_the_versions_that_have_something_to_write_there() -> None:
    """A quarantine waits for a store that is missing, or that the namespace may not use."""
    cache = Cache(INDEXES)
    quarantined = samples.model_version("flights-v1", status={"quarantine": {"stored": False}})
    for obj in (samples.namespace(), quarantined, samples.model_version("flights-v2")):
        cache.put(obj)
    for news in (samples.artifact_store(), samples.namespace()):
        found = {str(key) for key in keys_of(cache, news) if key.resource.kind == "ModelVersion"}
        assert found == {"ModelVersion ns/flights-v1"}


def test_a_version_and_a_deployment_that_names_it_concern_each_other_whatever_job_it_serves() -> None:
    cache = Cache(INDEXES)
    through = {"version": "flights-v1", "digest": "sha256:1", "number": 1, "at": "2026-01-01T00:00:00Z"}
    deployment = samples.model_deployment("eu", "other", status={"servedVersions": [through]})
    version = samples.model_version("flights-v1")
    for obj in (samples.namespace(), deployment, version):
        cache.put(obj)
    assert "ModelDeployment ns/eu" in {str(key) for key in keys_of(cache, version)}
    assert "ModelVersion ns/flights-v1" in {str(key) for key in keys_of(cache, deployment)}


def test_an_action_is_new_until_its_first_status_and_not_with_each_status_after_that() -> None:
    created = samples.model_action("back", "ModelDeployment", status={"observedGeneration": -1})
    marked = samples.model_action("back", "ModelDeployment", metadata={"annotations": {names.ACCEPTED_ANNOTATION: "u"}})
    told = samples.model_action("back", "ModelDeployment", status={"phase": "Pending", "observedGeneration": 1})
    ended = samples.model_action("back", "ModelDeployment", status={"phase": "Succeeded", "observedGeneration": 1})
    assert [is_new_action(one) for one in (created, marked, told, ended)] == [True, True, False, False]
    assert not is_new_action(DEPLOYMENT)
