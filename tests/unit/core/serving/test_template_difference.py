"""What the API server makes of a declared template is no change; what runs otherwise is one, and is put right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from steadfit.core.serving.template_difference import first_difference, put_right

from tests.sim.objects import clone

DECLARED: dict[str, Any] = {
    "metadata": {"labels": {"app": "flights"}, "annotations": {}},
    "spec": {
        "automountServiceAccountToken": False,
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": ""}],
        "containers": [
            {
                "name": "server",
                "image": "server:1",
                "env": [{"name": "EMPTY", "value": ""}, {"name": "THREADS", "value": "4"}],
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {
                    "requests": {"cpu": "0.1", "memory": "1024Mi", "nvidia.com/gpu": 1},
                    "limits": {"cpu": "0.00012", "memory": "1.5Gi"},
                },
                "securityContext": {"capabilities": {"drop": ["ALL"]}},
            }
        ],
        "volumes": [{"name": "model", "emptyDir": {"sizeLimit": "10240Mi"}}],
    },
}
STORED: dict[str, Any] = {
    "metadata": {"creationTimestamp": None, "labels": {"app": "flights"}},
    "spec": {
        "automountServiceAccountToken": False,
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "containers": [
            {
                "name": "server",
                "image": "server:1",
                "imagePullPolicy": "IfNotPresent",
                "env": [{"name": "EMPTY"}, {"name": "THREADS", "value": "4"}],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "1Gi", "nvidia.com/gpu": "1"},
                    "limits": {"cpu": "1m", "memory": "1536Mi", "ephemeral-storage": "1Gi"},
                },
                "securityContext": {"capabilities": {"drop": ["ALL"]}},
                "terminationMessagePath": "/dev/termination-log",
            }
        ],
        "volumes": [{"name": "model", "emptyDir": {"sizeLimit": "10Gi"}}],
    },
}
Change = Callable[[dict[str, Any]], object]


def server(template: dict[str, Any]) -> Any:
    return template["spec"]["containers"][0]


def test_defaults_and_spelling_of_the_api_server_are_no_change() -> None:
    assert first_difference(DECLARED, STORED) is None


@pytest.mark.parametrize(
    "add",
    [
        lambda one: one["spec"]["containers"].insert(0, {"name": "proxy", "image": "proxy:1", "command": ["run"]}),
        lambda one: one["spec"].update(initContainers=[{"name": "init", "image": "init:1"}]),
        lambda one: server(one)["env"].insert(0, {"name": "STAKATER_CONFIG", "value": "1"}),
        lambda one: one["metadata"]["labels"].update(team="risk"),
        lambda one: server(one)["resources"]["requests"].update({"ephemeral-storage": "1Gi"}),
    ],
)
def test_what_admission_adds_is_no_change(add: Change) -> None:
    stored = clone(STORED)
    add(stored)
    assert first_difference(DECLARED, stored) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda one: server(one).update(image="server:2"), "template.spec.containers[server].image"),
        (lambda one: server(one).update(command=["sh"]), "template.spec.containers[server].command"),
        (lambda one: server(one).update(args=["--insecure"]), "template.spec.containers[server].args"),
        (lambda one: server(one).update(workingDir="/elsewhere"), "template.spec.containers[server].workingDir"),
        (lambda one: server(one)["env"][1].update(value="8"), "template.spec.containers[server].env[THREADS].value"),
        (lambda one: server(one)["env"][0].update(value="x"), "template.spec.containers[server].env[EMPTY].value"),
        (lambda one: server(one)["env"].pop(1), "template.spec.containers[server].env[THREADS]"),
        (
            lambda one: server(one)["resources"]["limits"].update(memory="1535Mi"),
            "template.spec.containers[server].resources.limits.memory",
        ),
        (
            lambda one: server(one)["securityContext"].pop("capabilities"),
            "template.spec.containers[server].securityContext.capabilities.drop",
        ),
        (
            lambda one: one["spec"]["volumes"][0].update(emptyDir={}),
            "template.spec.volumes[model].emptyDir.sizeLimit",
        ),
        (
            lambda one: one["spec"].update(automountServiceAccountToken=True),
            "template.spec.automountServiceAccountToken",
        ),
    ],
)
def test_a_declared_field_that_is_otherwise_is_named(change: Change, field: str) -> None:
    stored = clone(STORED)
    change(stored)
    assert first_difference(DECLARED, stored) == field


def test_a_command_of_others_is_taken_away_by_an_empty_one_and_nothing_else_is_added() -> None:
    assert put_right(DECLARED, STORED) == DECLARED
    stored = clone(STORED)
    server(stored).update(command=["sh"], workingDir="/elsewhere")
    applied = put_right(DECLARED, stored)
    assert server(applied) == {**server(DECLARED), "command": [], "workingDir": ""}
