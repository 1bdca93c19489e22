"""Bad input is refused when it is applied, in a sentence its author can act on; good input is filled in."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kubectl import Kubectl, KubectlError, Manifest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "manifests" / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GONE = object()


def obj(kind: str, spec: dict[str, Any], name: str = "flights") -> Manifest:
    return {"apiVersion": "steadfit.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


RECIPE = obj(
    "TrainingJob",
    {
        "image": "registry.example.com/ml/train:1.4.0",
        "data": [{"name": "flights", "uri": "s3://lake/flights/", "format": "Parquet"}],
        "evaluation": {
            "target": "late",
            "holdout": {"by": "Time", "column": "time_hour"},
            "metrics": [{"name": "roc_auc", "goal": "Maximize", "threshold": 0.6}],
        },
        "triggers": [{"name": "weekly", "schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Berlin"}}],
    },
)
SERVING = obj("ModelDeployment", {})
STORE = obj("ArtifactStore", {"uriPrefix": "s3://lake", "credentialsSecretName": "keys"}, "admission-test")
SOURCE = obj("MetricSource", {"url": "http://prometheus.monitoring.svc:9090"}, "admission-test")
PIN = obj(
    "ModelAction",
    {
        "verb": "Pin",
        "target": {"kind": "ModelDeployment", "name": "flights"},
        "version": 7,
        "reason": "the newer one is slow",
        "requestedBy": "jane",
    },
)

REFRESH_ALL = obj(
    "ModelAction",
    {
        "verb": "Refresh",
        "target": {"kind": "ModelDeployment", "selector": {}},
        "pace": {"maxConcurrent": 2, "memberDeadline": "6h"},
        "reason": "upgrade of the operator",
        "requestedBy": "jane",
    },
)


def edited(manifest: Manifest, path: str, value: Any) -> Manifest:
    """The object with one field set (or taken away, if the value is GONE), named as `spec.data.0.uri`."""
    changed = copy.deepcopy(manifest)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = changed
    for part in parents:
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[part]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return changed


def refusal(kubectl: Kubectl, manifest: Manifest) -> str:
    with pytest.raises(KubectlError) as refused:
        kubectl.apply(manifest, "--dry-run=server", "--validate=strict")
    return str(refused.value)


def alerted(labels: dict[str, str]) -> Manifest:
    """A trigger by alerts with these labels."""
    return {"name": "drift", "alert": {"matchLabels": labels}}


DATA = RECIPE["spec"]["data"][0]
METRIC = RECIPE["spec"]["evaluation"]["metrics"][0]
TRIGGER = RECIPE["spec"]["triggers"][0]
BAD = [
    # Shapes
    (RECIPE, "spec.seed", "seven", 'TrainingJob.spec.seed: got "string", expected "integer"'),
    (RECIPE, "spec.seed", -1, "spec.seed in body should be greater than or equal to 0"),
    (RECIPE, "spec.image", GONE, 'missing required field "image"'),
    (RECIPE, "spec.image", "", "must be the reference of an image, without spaces"),
    (RECIPE, "spec.image", "train :1", "must be the reference of an image, without spaces"),
    (RECIPE, "spec.data", [], "spec.data in body should have at least 1 items"),
    (RECIPE, "spec.imgae", "train", 'unknown field "imgae"'),
    (RECIPE, "spec.data.0.formt", "CSV", '(TrainingJob.spec.data[0]): unknown field "formt"'),
    (RECIPE, "spec", GONE, 'missing required field "spec"'),
    # Enumerations
    (RECIPE, "spec.data.0.format", "Avro", 'Unsupported value: "Avro": supported values: "Parquet", "CSV"'),
    (RECIPE, "spec.readyPolicy", "Always", 'supported values: "Accepted", "FirstModel"'),
    (RECIPE, "spec.evaluation.metrics.0.name", "f2", 'supported values: "roc_auc", "average_precision", "accur'),
    # Names
    (RECIPE, "spec.data", [DATA, DATA], 'spec.data[1]: Duplicate value: {"name":"flights"}'),
    (RECIPE, "spec.triggers", [TRIGGER, TRIGGER], 'spec.triggers[1]: Duplicate value: {"name":"weekly"}'),
    (RECIPE, "spec.evaluation.metrics", [METRIC, METRIC], 'metrics[1]: Duplicate value: {"name":"roc_auc"}'),
    (RECIPE, "spec.env", [{"name": "A"}, {"name": "A"}], 'spec.env[1]: Duplicate value: {"name":"A"}'),
    (RECIPE, "spec.data.0.name", "../secrets", "must be lower-case letters, digits and '-', starting with a letter"),
    (RECIPE, "spec.data.0.name", "a/b", "it is part of names and paths"),
    (RECIPE, "spec.data.0.name", "d" * 41, "spec.data[0].name: Too long: may not be more than 40 bytes"),
    (RECIPE, "spec.storeRef.name", "../default", "must be the name of an object: lower-case letters, digits"),
    (RECIPE, "metadata.name", "f" * 41, "the name of a TrainingJob must be at most 40 lower-case letters"),
    (RECIPE, "metadata.name", "9flights", "starting with a letter, because children carry it in their names"),
    (SERVING, "metadata.name", "flights.v2", "the name of a ModelDeployment must be at most 40 lower-case letters"),
    (STORE, "metadata.name", "s" * 41, "because pods carry it in the names of volumes"),
    (RECIPE, "spec.env", [{"name": "9A"}], "must be the name of an environment variable"),
    (RECIPE, "spec.env", [{"name": "STEADFIT_RUN"}], "names that start with STEADFIT_ are set by Steadfit"),
    (RECIPE, "spec.pod.labels", {"steadfit.dev/revision": "x"}, "labels under steadfit.dev/ and app.kubernetes.io/"),
    (RECIPE, "spec.pod.labels", {"team": "a b"}, "must be labels as Kubernetes knows them"),
    (RECIPE, "spec.pod.nodeSelector", {"a/b/c": ""}, "must be labels as Kubernetes knows them"),
    # Triggers
    (RECIPE, "spec.triggers", [{"name": "weekly"}], "a trigger needs one kind: set schedule or alert, not both"),
    (RECIPE, "spec.triggers.0.alert", {"matchLabels": {"alertname": "Drift"}}, "set schedule or alert, not both"),
    (RECIPE, "spec.triggers", [alerted({})], "spec.triggers[0].alert.matchLabels in body should have at least 1 prop"),
    (RECIPE, "spec.triggers", [alerted({"model": "flights"})], "would match every alert of the model"),
    (RECIPE, "spec.triggers", [alerted({"namespace": "ml", "model": "flights"})], "would match every alert"),
    (RECIPE, "spec.triggers", [alerted({"alert-name": "Drift"})], "must be labels as Prometheus knows them"),
    (RECIPE, "spec.triggers.0.schedule.cron", "@daily", "must have the five fields of a cron line"),
    (RECIPE, "spec.triggers.0.schedule.cron", "0 3 * * * 2026", "minute, hour, day of month, month, day of week"),
    (RECIPE, "spec.triggers.0.schedule.timeZone", "Europe/Berlinn", "must be a time zone of the IANA database"),
    (RECIPE, "spec.triggers.0.schedule.timeZone", "+02:00", "for example UTC or Europe/Berlin"),
    (RECIPE, "spec.triggers.0.schedule.timeZone", "Local", "must be a time zone of the IANA database"),
    # Numbers, lengths of time, amounts
    (RECIPE, "spec.evaluation.metrics.0.threshold", "high", 'threshold: got "string", expected "number"'),
    (RECIPE, "spec.evaluation.metrics.0.goal", "Minimize", "f1 and r2 are better when larger (goal: Maximize)"),
    (RECIPE, "spec.evaluation.holdout.fraction", 1, "fraction in body should be less than 1"),
    (RECIPE, "spec.evaluation.holdout.fraction", 0, "fraction in body should be greater than 0"),
    (RECIPE, "spec.limits.runTimeout", "1d", "must be a length of time above zero in h, m, s or ms, for example 90s"),
    (RECIPE, "spec.limits.runTimeout", "0s", "must be a length of time above zero"),
    (RECIPE, "spec.limits.runTimeout", "9" * 20 + "h", "must be a length of time above zero"),
    (RECIPE, "spec.limits.retries", 11, "spec.limits.retries in body should be less than or equal to 10"),
    (RECIPE, "spec.limits.workspace", "ten gigabytes", "must be an amount such as 500m, 1Gi or 2"),
    (RECIPE, "spec.resources.requests", {"memory": "-1Gi"}, "must be an amount such as 500m, 1Gi or 2"),
    (
        RECIPE,
        "spec.resources",
        {"requests": {"memory": "2Gi"}, "limits": {"memory": "512Mi"}},
        "requests must not exceed limits",
    ),
    (SERVING, "spec.server.replicas", -1, "spec.server.replicas in body should be greater than or equal to 0"),
    (RECIPE, "spec.limits.maxRunsPerDay", 0, "maxRunsPerDay in body should be greater than or equal to 1"),
    (RECIPE, "spec.evaluation.champion.margin", -0.1, "margin in body should be greater than or equal to 0"),
    (RECIPE, "spec.evaluation.champion.margin", "5", "margin in body should match '^[0-9]{1,3}"),
    (RECIPE, "spec.evaluation.champion.margin", "-5%", "margin in body should match '^[0-9]{1,3}"),
    (RECIPE, "spec.evaluation.champion.margin", True, "must not validate the schema (not)"),
    (RECIPE, "spec.evaluation.champion.margin", {}, "margin in body should have at least 1 properties"),
    (RECIPE, "spec.evaluation.champion.margin", ["5%"], "margin: Too many: 1: must have at most 0 items"),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "errorRate": {"margin": 1.5}}],
        "errorRate.margin in body should be less than 1",
    ),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "errorRate": {"margin": "0%"}}],
        "errorRate.margin in body should match '[1-9]'",
    ),
    (RECIPE, "spec.evaluation.bootstrap", "Always", 'supported values: "Thresholds", "Manual"'),
    (SERVING, "spec.capture.sample", 0, "sample in body should be greater than 0"),
    (SERVING, "spec.capture.sample", 1.5, "sample in body should be less than or equal to 1"),
    # Where things lie
    (RECIPE, "spec.data.0.captured", {"deployment": "flights"}, "set uri or captured: exactly one of them"),
    (
        RECIPE,
        "spec.data",
        [{"name": "live", "captured": {"deployment": "flights"}, "latest": {"partitions": 2}}],
        "digest and latest are for a uri; captured rows are chosen by captured.window",
    ),
    (RECIPE, "spec.data", [{"name": "live", "uri": "s3://lake/live/"}], "a uri needs its format, Parquet or CSV"),
    (SOURCE, "spec.url", "ftp://prometheus", "must be an http:// or https:// URL"),
    (SOURCE, "spec.url", "http://admin:secret@prometheus:9090", "must not contain credentials"),
    (SOURCE, "spec.timeout", "soon", "must be a length of time above zero"),
    (SOURCE, "spec.maxConcurrent", 0, "maxConcurrent in body should be greater than or equal to 1"),
    (SOURCE, "spec.tenancy.parameter", "name space", "must be the name of a URL parameter"),
    (RECIPE, "spec.data.0.uri", "gs://lake/flights/", "must be an s3:// URI with a bucket, for example s3://lake/"),
    (RECIPE, "spec.data.0.uri", "/mnt/flights", "other schemes are not supported"),
    (RECIPE, "spec.data.0.uri", "s3://lake/../models/", "must not contain '..' as a path segment"),
    (RECIPE, "spec.data.0.digest", "sha256:abc", "must be sha256: followed by 64 lower-case hexadecimal digits"),
    (RECIPE, "spec.data.0.digest", "md5:" + "0" * 64, "must be sha256: followed by 64 lower-case hexadecimal digits"),
    (
        RECIPE,
        "spec.data",
        [{**DATA, "digest": "sha256:" + "0" * 64, "latest": {"partitions": 2}}],
        "set digest or latest, not both",
    ),
    (STORE, "spec.uriPrefix", "file:///models", "must be an s3:// URI with a bucket"),
    (STORE, "spec.s3.endpoint", "store:7070", "must be an http:// or https:// URL"),
    (STORE, "spec.s3.caBundleSecret", {"name": "ca", "key": "../token"}, "must be a key of a Secret"),
    (
        STORE,
        "spec.allowedNamespaces.matchExpressions",
        [{"key": "team", "operator": "In"}],
        "In and NotIn need values; Exists and DoesNotExist take none",
    ),
    # Pods
    (RECIPE, "spec.pod.hostNetwork", True, 'unknown field "hostNetwork"'),
    (RECIPE, "spec.podTemplate", {"spec": {"hostPID": True}}, 'unknown field "podTemplate"'),
    (
        RECIPE,
        "spec.pod.tolerations",
        [{"key": "gpu", "operator": "Exists", "value": "a"}],
        "a toleration with operator Exists takes no value",
    ),
    (RECIPE, "spec.pod.tolerations", [{"value": "a"}], "a toleration without a key needs operator Exists"),
    (
        RECIPE,
        "spec.pod.tolerations",
        [{"key": "a", "tolerationSeconds": 1}],
        "tolerationSeconds needs effect NoExecute",
    ),
    # Pins and actions
    (
        SERVING,
        "spec.pin",
        {"version": 7, "digest": "sha256:" + "0" * 64},
        "pin a version or a digest: exactly one of them",
    ),
    (SERVING, "spec.pin", {}, "pin a version or a digest: exactly one of them"),
    (SERVING, "spec.pin", {"digest": "7"}, "must be sha256: followed by 64 lower-case hexadecimal digits"),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m"}],
        "a monitor needs one kind: set drift, predictionDrift, quality, errorRate, latency or query",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "drift": {"max": 0.2}, "errorRate": {"max": 0.1}}],
        "a monitor needs one kind: set drift, predictionDrift, quality, errorRate, latency or query",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "predictionDrift": {"max": 0.2}, "action": "Rollback"}],
        "the action of predictionDrift must be Alert or Retrain: the world may have changed",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "predictionDrift": {"max": 0.2}, "minSamples": 100}],
        "predictionDrift needs at least 200 samples",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "roc_auc"}}],
        "must validate one and only one schema (oneOf)",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "roc_auc", "min": 0.7, "within": "5%"}}],
        "absent: a quality monitor has one of min, max and within",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "roc_auc", "min": 0.7, "max": 0.9}}],
        "a quality monitor has one of min, max and within",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "average_precision", "min": 0.5}}],
        "must be a metric that the servers' counts of outcomes give: roc_auc, accuracy",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "f1", "max": 0.5}}],
        "roc_auc, accuracy, balanced_accuracy and f1 are better when larger (set min)",
    ),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "quality": {"metric": "f1"}}],
        "must be a mean over answers that the servers count: accuracy, brier_score and mae",
    ),
    *(
        (
            SERVING,
            "spec.monitors",
            [{"name": "m", "drift": {"max": 0.2, "features": features}}],
            'supported values: "Weighted", "Any"',
        )
        for features in ("weighted", [], 7, {"a": 1}, ["x"] * 65)
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "errorRate": {"max": 0.1}, "action": "Recover"}],
        "the action of errorRate must be Alert or Rollback: training does not fix failed requests",
    ),
    (
        SERVING,
        "spec.monitors",
        [{"name": "m", "quality": {"metric": "accuracy", "min": 0.7}, "action": "Rollback"}],
        "the action of quality must be Alert, Retrain or Recover: the world may have changed",
    ),
    # Canaries
    *(
        (SERVING, "spec.strategy", {"canary": {"steps": [{"weight": weight} for weight in weights]}}, sentence)
        for weights, sentence in (
            ([20, 10], "weights must rise from step to step"),
            ([20, 20], "weights must rise from step to step"),
            ([0], "weight in body should be greater than or equal to 1"),
            ([101], "weight in body should be less than or equal to 99"),
            ([25, 75], "pods behind a Service cannot express a weight above 50"),
            ([], "steps in body should have at least 1 items"),
        )
    ),
    (SERVING, "spec.strategy", {}, "a strategy is canary or blueGreen: set exactly one of them"),
    (
        SERVING,
        "spec.strategy",
        {"blueGreen": {}, "canary": {"steps": [{"weight": 50}]}},
        "a strategy is canary or blueGreen: set exactly one of them",
    ),
    (SERVING, "spec.traffic", {"gatewayAPI": {"parentRefs": []}}, "parentRefs in body should have at least 1 items"),
    (SERVING, "spec.analysis.metrics", [], "metrics in body should have at least 1 items"),
    (SERVING, "spec.analysis.metrics", [{"name": "m"}], "a metric of the analysis needs one kind"),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "errorRate": {}, "latency": {}}],
        "a metric of the analysis needs one kind",
    ),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "query": {"promQL": "vector(1)"}}],
        "a query monitor needs a condition: set min or max",
    ),
    (
        SERVING,
        "spec.analysis.metrics",
        [{"name": "m", "query": {"source": "No Such", "promQL": "vector(1)", "max": 1}}],
        "must be the name of an object",
    ),
    (SERVING, "spec.analysis.minSamples", 10, "minSamples in body should be greater than or equal to 50"),
    (SERVING, "spec.analysis.onInconclusive", "Wait", 'supported values: "Pause", "Abandon", "Promote"'),
    (SERVING, "spec.bakeDuration", "1d", "must be a length of time above zero"),
    (SERVING, "spec.warm", {"replicas": -1}, "should be greater than or equal to 0"),
    (SERVING, "spec.warm", {"for": "1d"}, "must be a length of time above zero"),
    (SERVING, "spec.limits.maxRollbacksPerDay", -1, "should be greater than or equal to 0"),
    (PIN, "spec.version", GONE, "Pin needs the version to serve"),
    (edited(PIN, "spec.verb", "Quarantine"), "spec.version", GONE, "Quarantine and Release need the version"),
    (edited(PIN, "spec.verb", "Release"), "spec.version", GONE, "Quarantine and Release need the version"),
    (PIN, "spec.verb", "Unpin", "Retrain, Cancel, Unpin, Abort and Refresh take no version"),
    (PIN, "spec.verb", "Explode", 'supported values: "Retrain", "Rollback", "Promote", "Abort", "Pin", "Unpin"'),
    (PIN, "spec.target.kind", "TrainingJob", "the target of all other verbs is a ModelDeployment"),
    (PIN, "spec.target", {"kind": "ModelDeployment", "selector": {}}, "only Refresh takes a selector"),
    (PIN, "spec.target", {"kind": "ModelDeployment"}, "set exactly one of name and selector"),
    (PIN, "spec.pace", {}, "pace is for a Refresh with a selector"),
    (REFRESH_ALL, "spec.target.name", "flights", "set exactly one of name and selector"),
    (REFRESH_ALL, "spec.target.selector", GONE, "set exactly one of name and selector"),
    (
        REFRESH_ALL,
        "spec.target",
        {"kind": "ModelDeployment", "name": "flights", "allNamespaces": True},
        "allNamespaces needs a selector; an empty one selects every ModelDeployment",
    ),
    (REFRESH_ALL, "spec.target.kind", "TrainingJob", "the target of all other verbs is a ModelDeployment"),
    (REFRESH_ALL, "spec.pace.maxConcurrent", 11, "should be less than or equal to 10"),
    (REFRESH_ALL, "spec.pace.memberDeadline", "1d", "must be a length of time above zero"),
    (PIN, "spec.reason", "", "spec.reason in body should be at least 1 chars long"),
    (PIN, "spec.requestedBy", GONE, 'missing required field "requestedBy"'),
]


@pytest.mark.parametrize(
    ("manifest", "path", "value", "sentence"),
    [pytest.param(*case, id=f"{case[0]['kind']}-{case[1]}-{number}") for number, case in enumerate(BAD)],
)
def test_bad_input_is_refused_in_a_sentence(
    shared_namespace: Kubectl, manifest: Manifest, path: str, value: Any, sentence: str
) -> None:
    assert sentence in refusal(shared_namespace, edited(manifest, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.triggers.0.schedule.cron", "*/15 8-18 1,15 JAN-JUN MON"),
        ("spec.triggers.0.schedule.timeZone", "America/Argentina/Buenos_Aires"),
        ("spec.triggers.0.schedule.timeZone", "UTC"),
        ("spec.limits.runTimeout", "1h30m"),
        ("spec.limits.workspace", 1073741824),
        ("spec.resources", {"requests": {"cpu": 1, "example.com/gpu": "1"}, "limits": {"cpu": "1500m"}}),
        ("spec.params", {"trees": 100, "rate": 0.1, "loss": "log", "warm": True}),
        ("spec.pod", {"labels": {"example.com/team": "fraud"}, "tolerations": [{"operator": "Exists"}]}),
        ("spec.evaluation.metrics.0.threshold", 1),
        ("spec.evaluation.champion.margin", "5%"),
        ("spec.evaluation.champion.margin", 250),
        ("spec.data.0.digest", "sha256:" + "0" * 64),
        ("metadata.name", "f" * 40),
    ],
)
def test_what_should_pass_passes(shared_namespace: Kubectl, path: str, value: Any) -> None:
    shared_namespace.apply(edited(RECIPE, path, value), "--dry-run=server", "--validate=strict")


@pytest.mark.parametrize("features", ["Weighted", "Any", ["distance"], ["x"] * 64])
def test_drift_may_be_watched_over_all_features_or_named_ones(shared_namespace: Kubectl, features: Any) -> None:
    monitor = {"name": "m", "drift": {"max": 0.2, "features": features}}
    shared_namespace.apply(edited(SERVING, "spec.monitors", [monitor]), "--dry-run=server", "--validate=strict")


@pytest.mark.parametrize(
    "example", sorted(path.name for path in EXAMPLES.iterdir() if (path / "kustomization.yaml").exists())
)
def test_the_examples_are_accepted(cluster: Kubectl, namespace: Kubectl, example: str) -> None:
    for manifest in yaml.safe_load_all(cluster.run("kustomize", str(EXAMPLES / example))):
        if manifest["apiVersion"].startswith("steadfit.dev/"):
            manifest["metadata"].pop("namespace", None)
            namespace.apply(manifest, "--dry-run=server", "--validate=strict")


def shown(page: Path) -> list[Manifest]:
    """Our objects in the YAML blocks of a page."""
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    ours = [block for _, block in blocks if "apiVersion: steadfit.dev/" in block]
    return [document for block in ours for document in yaml.safe_load_all(block)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_what_the_documents_show_is_accepted(shared_namespace: Kubectl, page: Path) -> None:
    for manifest in shown(page):
        manifest["metadata"].pop("namespace", None)
        if "name" in manifest["metadata"]:
            manifest["metadata"]["name"] += "-shown"  # one of the cluster's may be called as the page has it
        author = Kubectl(shared_namespace.namespace, manifest["spec"].get("requestedBy"))
        as_admin = ["--as-group=system:masters"] if author.user else []
        author.create(manifest, "--dry-run=server", "--validate=strict", *as_admin)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("spec.imgae", "train", ".spec.imgae: field not declared in schema"),
        ("spec.seed", "seven", "expected numeric"),
        ("spec.triggers", [{"name": "weekly"}], "a trigger needs one kind: set schedule or alert, not both"),
        ("spec.data", [DATA, DATA], "duplicate entries for key"),
    ],
)
def test_server_side_apply_refuses_it_too(shared_namespace: Kubectl, path: str, value: Any, sentence: str) -> None:
    """As Flux does it, and Argo CD with ServerSideApply=true."""
    with pytest.raises(KubectlError) as refused:
        shared_namespace.apply(edited(RECIPE, path, value), "--server-side", "--dry-run=server", "--validate=false")
    assert sentence in str(refused.value)


def test_defaults_are_filled_in_and_shown(shared_namespace: Kubectl) -> None:
    spec = shared_namespace.create(RECIPE, "--dry-run=server")["spec"]
    assert spec["resources"] == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert spec["limits"] == {
        "queueTimeout": "24h",
        "startTimeout": "10m",
        "runTimeout": "6h",
        "retries": 3,
        "workspace": "10Gi",
        "cooldown": "1h",
        "maxRunsPerDay": 4,
        "breakAfter": 3,
    }
    assert spec["evaluation"]["champion"] == {"margin": 0.005}
    assert spec["evaluation"]["bootstrap"] == "Thresholds"
    assert spec["storeRef"] == {"name": "default"}
    assert spec["evaluation"]["holdout"]["fraction"] == 0.2
    assert spec["history"] == {"runs": 10}
    assert spec["readyPolicy"] == "Accepted"
    assert spec["seed"] == 0


def test_a_null_counts_as_absent(shared_namespace: Kubectl) -> None:
    spec = shared_namespace.create(edited(SERVING, "spec.pin", None), "--dry-run=server")["spec"]
    assert "pin" not in spec
    assert spec["readyPolicy"] == "FirstModel"


def test_no_crd_is_rejected_in_part(cluster: Kubectl) -> None:
    crds = [crd for crd in cluster.list("crd") if crd["spec"]["group"] == "steadfit.dev"]
    assert len(crds) == 7
    for crd in crds:
        conditions = {entry["type"]: entry["status"] for entry in crd["status"]["conditions"]}
        assert conditions.get("NonStructuralSchema", "False") == "False", crd["metadata"]["name"]
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"


def test_the_api_server_changes_nothing_in_the_crds(cluster: Kubectl) -> None:
    """What it drops or adds would be a difference for ever to a GitOps tool."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        assert cluster.run("diff", "--server-side", "--force-conflicts", "-f", str(path)) == ""


def test_an_object_is_born_unseen(cluster: Kubectl, namespace: Kubectl) -> None:
    """A dry run is answered before any operator could have seen the object."""
    born = namespace.create(SERVING, "--dry-run=server")
    assert born["status"]["observedGeneration"] == -1


def test_an_empty_spec_can_be_scaled(namespace: Kubectl) -> None:
    namespace.create(SERVING)
    path = f"/apis/steadfit.dev/v1alpha1/namespaces/{namespace.namespace}/modeldeployments/flights/scale"
    assert json.loads(namespace.run("get", "--raw", path))["spec"] == {"replicas": 1}
    namespace.run("scale", "modeldeployment/flights", "--replicas=3")
    stored = namespace.get("modeldeployment", "flights")
    assert stored is not None
    assert stored["spec"]["server"]["replicas"] == 3


def test_what_was_asked_for_cannot_be_changed(namespace: Kubectl) -> None:
    me = json.loads(namespace.run("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    namespace.create(edited(PIN, "spec.requestedBy", me))
    for patch, sentence in [
        ({"spec": {"version": 8}}, "spec is immutable: create a new object instead"),
        ({"spec": None}, "spec: Required value"),
    ]:
        with pytest.raises(KubectlError, match=sentence):
            namespace.run("patch", "modelaction", "flights", "--type=merge", "-p", json.dumps(patch))


def test_kinds_answer_to_their_short_names_and_their_category(namespace: Kubectl) -> None:
    for name in ("tj", "tr", "mv", "mdep", "ma", "astore", "msrc", "steadfit"):
        namespace.run("get", name)


def test_every_field_can_be_explained(cluster: Kubectl) -> None:
    text = cluster.run("explain", "trainingjob.spec.triggers.schedule.timeZone")
    assert "IANA time zone the cron line is read in." in text


def warnings(kubectl: Kubectl, spec: dict[str, Any]) -> str:
    """Return what `kubectl create` writes to standard error about a ModelDeployment that is admitted."""
    command = ["kubectl", "--namespace", str(kubectl.namespace), "create", "--dry-run=server", "-f", "-"]
    text = json.dumps(obj("ModelDeployment", spec, "warned"))
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize(
    ("analysis", "needed"),
    [
        ({}, "about 500 requests a day"),
        ({"minSamples": 50, "maxDuration": "168h"}, "about 71 requests a day"),
        ({"onInconclusive": "Promote"}, ""),
    ],
)
def test_a_canary_is_admitted_with_a_warning_of_the_traffic_that_it_needs(
    shared_namespace: Kubectl, analysis: dict[str, Any], needed: str
) -> None:
    canary = {"canary": {"steps": [{"weight": 10}, {"weight": 50}]}}
    told = warnings(shared_namespace, {"strategy": canary, "analysis": analysis})
    assert needed in told if needed else "requests a day" not in told
    assert "requests a day" not in warnings(shared_namespace, {"analysis": analysis})
