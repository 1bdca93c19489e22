"""The manifests give the operator what it needs and nothing more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from steadfit.api.kinds import DEFINITIONS
from steadfit.api.strategy import Analysis
from steadfit.app.alerts.auth import PATH
from steadfit.app.settings import Settings
from steadfit.kube.resources import EVENTS, OWN, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, WATCHED, Resource

MANIFESTS = Path(__file__).parents[3] / "manifests"
OPERATOR_ROLES = [("ClusterRole", "steadfit-operator"), ("Role", "steadfit-operator")]


def load(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def find(file: str, kind: str, name: str) -> dict[str, Any]:
    return next(item for item in load(file) if item["kind"] == kind and item["metadata"]["name"] == name)


def verbs(role: dict[str, Any], group: str, resource: str) -> set[str]:
    return {
        verb
        for rule in role["rules"]
        if group in rule["apiGroups"] and resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize(("kind", "name"), OPERATOR_ROLES)
def test_the_operator_has_no_wildcard_lists_no_secrets_and_cannot_exec(kind: str, name: str) -> None:
    role = find("base/operator-rbac.yaml", kind, name)
    for rule in role["rules"]:
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
        assert "pods/exec" not in rule["resources"]
        if "secrets" in rule["resources"]:
            assert kind == "Role"
            assert not {"list", "watch"} & set(rule["verbs"])
            assert set(rule["verbs"]) <= {"create", "get"} or rule["resourceNames"] == [
                Settings.model_fields["certificate_secret"].default
            ]


@pytest.mark.parametrize("resource", WATCHED, ids=lambda resource: resource.plural)
def test_the_operator_may_watch_what_it_watches(resource: Resource) -> None:
    role = find("base/operator-rbac.yaml", "ClusterRole", "steadfit-operator")
    assert verbs(role, resource.group, resource.plural) >= {"get", "list", "watch"}


def test_the_operator_may_watch_the_events_of_refused_pods() -> None:
    role = find("base/operator-rbac.yaml", "ClusterRole", "steadfit-operator")
    assert verbs(role, EVENTS.group, EVENTS.plural) == {"create", "patch", "list", "watch"}


@pytest.mark.parametrize("resource", OWN, ids=lambda resource: resource.plural)
def test_the_operator_writes_the_status_of_its_kinds_and_no_spec(resource: Resource) -> None:
    role = find("base/operator-rbac.yaml", "ClusterRole", "steadfit-operator")
    assert verbs(role, resource.group, f"{resource.plural}/status") == {"patch"}
    # It marks the ModelActions that it accepts; their specs are immutable.
    marks = {"patch"} if resource.kind == "ModelAction" else set()
    assert verbs(role, resource.group, resource.plural) & {"update", "patch"} == marks


def test_the_operator_is_configured_by_variables_that_it_reads() -> None:
    deployment = find("base/operator.yaml", "Deployment", "steadfit-operator")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    known = {f"STEADFIT_{name.upper()}" for name in Settings.model_fields}
    assert {entry["name"] for entry in container["env"]} <= known
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["intake"] == Settings.model_fields["intake_port"].default
    assert ports["metrics"] == Settings.model_fields["health_port"].default


def test_runs_reach_the_intake_by_the_service() -> None:
    service = find("base/operator.yaml", "Service", Settings.model_fields["service_name"].default)
    assert service["metadata"]["namespace"] == Settings.model_fields["namespace"].default
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert ports["intake"] == Settings.model_fields["intake_port"].default


def test_who_edits_a_recipe_cannot_forge_runs_versions_or_actions() -> None:
    role = find("base/user-roles.yaml", "ClusterRole", "steadfit-edit")
    for resource in ("trainingruns", "modelversions", "modelactions", "trainingjobs/status", "modeldeployments/status"):
        assert verbs(role, "steadfit.dev", resource) == set()


def test_the_operator_may_ask_who_sends_alerts_and_whether_they_may() -> None:
    role = find("base/operator-rbac.yaml", "ClusterRole", "steadfit-operator")
    for resource in (TOKEN_REVIEWS, SUBJECT_ACCESS_REVIEWS):
        assert verbs(role, resource.group, resource.plural) == {"create"}


def test_the_sender_of_alerts_may_post_where_alerts_are_taken_and_nothing_else() -> None:
    role = find("base/user-roles.yaml", "ClusterRole", "steadfit-alert-sender")
    assert role["rules"] == [{"nonResourceURLs": [PATH], "verbs": ["post"]}]
    assert "labels" not in role["metadata"]


def test_alertmanager_and_runs_reach_the_intake_and_no_other_pods() -> None:
    policy = find("base/network-policy.yaml", "NetworkPolicy", "steadfit-operator")
    (rule,) = [rule for rule in policy["spec"]["ingress"] if rule["ports"] == [{"port": "intake"}]]
    assert [source["podSelector"]["matchLabels"] for source in rule["from"]] == [
        {"app.kubernetes.io/managed-by": "steadfit"},
        {"app.kubernetes.io/name": "alertmanager"},
    ]


def test_the_operator_reaches_the_metrics_port_of_servers() -> None:
    policy = find("base/network-policy.yaml", "NetworkPolicy", "steadfit-operator")
    assert any({"port": 9090, "protocol": "TCP"} in rule["ports"] for rule in policy["spec"]["egress"])


def test_the_operator_and_prometheus_reach_the_metrics_port_of_servers_and_no_other_pods() -> None:
    policy = find("examples/network-policy/network-policy.yaml", "NetworkPolicy", "steadfit-servers")
    (rule,) = [rule for rule in policy["spec"]["ingress"] if rule["ports"] == [{"port": 9090, "protocol": "TCP"}]]
    prometheus, operator = rule["from"]
    assert prometheus["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    pod = find("base/operator.yaml", "Deployment", "steadfit-operator")["spec"]["template"]["metadata"]["labels"]
    assert operator["podSelector"]["matchLabels"].items() <= pod.items()
    assert operator["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "steadfit-system"}


def test_argo_cd_gets_a_health_check_for_every_kind() -> None:
    (kustomization,) = load("argocd/kustomization.yaml")
    files = kustomization["configMapGenerator"][0]["files"]
    assert set(files) == {
        f"resource.customizations.health.steadfit.dev_{definition.kind}=health.lua" for definition in DEFINITIONS
    }


def test_kustomize_installs_every_crd() -> None:
    (kustomization,) = yaml.safe_load_all((MANIFESTS.parent / "crds" / "Kustomization").read_text())
    assert sorted(kustomization["resources"]) == sorted(
        f"steadfit.dev_{definition.plural}.yaml" for definition in DEFINITIONS
    )


def test_the_warning_of_a_canary_knows_the_defaults_of_the_analysis_and_refuses_nothing() -> None:
    policy, binding = load("base/analysis-policy.yaml")
    assert binding["spec"]["validationActions"] == ["Warn"]
    assert (policy["spec"]["failurePolicy"], binding["spec"]["policyName"]) == ("Ignore", policy["metadata"]["name"])
    variables = {one["name"]: one["expression"] for one in policy["spec"]["variables"]}
    assert variables["samples"].endswith(f": {Analysis().min_samples}")
    assert variables["longest"].endswith(f": '{Analysis().max_duration}'")
    assert "analysis-policy.yaml" in load("base/kustomization.yaml")[0]["resources"]
