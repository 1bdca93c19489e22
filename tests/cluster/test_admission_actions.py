"""Who may ask for what: a ModelAction names its author, and its verb is a right on its target."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kubectl import Kubectl, KubectlError, Manifest

ROLLBACK = {"verb": "Rollback", "target": {"kind": "ModelDeployment", "name": "flights"}}
RETRAIN = {"verb": "Retrain", "target": {"kind": "TrainingJob", "name": "flights"}}
CANCEL = {"verb": "Cancel", "target": {"kind": "TrainingJob", "name": "flights"}}
PIN = {"verb": "Pin", "target": {"kind": "ModelDeployment", "name": "flights"}, "version": 7}
UNPIN = {"verb": "Unpin", "target": {"kind": "ModelDeployment", "name": "flights"}}
PROMOTE = {"verb": "Promote", "target": {"kind": "ModelDeployment", "name": "flights"}}
ABORT = {"verb": "Abort", "target": {"kind": "ModelDeployment", "name": "flights"}}
QUARANTINE = {"verb": "Quarantine", "target": {"kind": "ModelDeployment", "name": "flights"}, "version": 7}
RELEASE = {"verb": "Release", "target": {"kind": "ModelDeployment", "name": "flights"}, "version": 7}
REFRESH = {"verb": "Refresh", "target": {"kind": "ModelDeployment", "name": "flights"}}
ACTIONS = pytest.mark.parametrize(
    "spec",
    [ROLLBACK, RETRAIN, CANCEL, PIN, UNPIN, PROMOTE, ABORT, QUARANTINE, RELEASE, REFRESH],
    ids=lambda spec: spec["verb"],
)

CREATE = {"apiGroups": ["steadfit.dev"], "resources": ["modelactions"], "verbs": ["create", "get", "list"]}
OPERATOR = "system:serviceaccount:steadfit-system:steadfit-operator"


def action(spec: dict[str, Any], by: str) -> Manifest:
    return {
        "apiVersion": "steadfit.dev/v1alpha1",
        "kind": "ModelAction",
        "metadata": {"generateName": "action-"},
        "spec": {**spec, "reason": "errors doubled", "requestedBy": by},
    }


def rule(verb: str, resource: str, *names: str) -> dict[str, Any]:
    """The right to a verb on a resource, or on the objects of these names alone."""
    named = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": ["steadfit.dev"], "resources": [resource], "verbs": [verb], **named}


def grant(kubectl: Kubectl, user: str, rules: list[dict[str, Any]]) -> Kubectl:
    """kubectl as a user who has these rights in the namespace and no others."""
    meta = {"name": user}
    group = "rbac.authorization.k8s.io"
    kubectl.apply(
        [
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            },
        ]
    )
    return Kubectl(kubectl.namespace, user)


def bind(kubectl: Kubectl, user: str, cluster_role: str) -> Kubectl:
    """kubectl as a user who has a ClusterRole in the namespace and nothing else."""
    kubectl.run("create", "rolebinding", user, f"--clusterrole={cluster_role}", f"--user={user}")
    return Kubectl(kubectl.namespace, user)


def refusal(kubectl: Kubectl, manifest: Manifest) -> str:
    with pytest.raises(KubectlError) as refused:
        kubectl.create(manifest, "--dry-run=server")
    return str(refused.value)


def can(kubectl: Kubectl, verb: str, resource: str, subresource: str = "") -> bool:
    answer = kubectl.run("auth", "can-i", verb, resource, f"--subresource={subresource}", check=False).strip()
    assert answer in ("yes", "no")
    return answer == "yes"


@ACTIONS
def test_the_oncall_role_may_ask_for_every_verb_in_its_own_name(namespace: Kubectl, spec: dict[str, Any]) -> None:
    jane = bind(namespace, "jane", "steadfit-oncall")
    created = jane.create(action(spec, "jane"))
    assert created["spec"]["requestedBy"] == "jane"


def test_nobody_asks_in_another_name(namespace: Kubectl) -> None:
    jane = bind(namespace, "jane", "steadfit-oncall")
    assert "spec.requestedBy must be the user who creates the action, here 'jane'" in refusal(
        jane, action(ROLLBACK, "joe")
    )


def test_not_even_the_admin_asks_in_another_name(namespace: Kubectl) -> None:
    assert "spec.requestedBy must be the user who creates the action" in refusal(namespace, action(ROLLBACK, "joe"))


@ACTIONS
def test_to_create_actions_is_not_the_right_to_a_verb(namespace: Kubectl, spec: dict[str, Any]) -> None:
    jane = grant(namespace, "jane", [CREATE])
    verb, kind = spec["verb"].lower(), spec["target"]["kind"]
    said = refusal(jane, action(spec, "jane"))
    assert f"user 'jane' may not {verb} {kind} 'flights': it takes the verb '{verb}' on {kind.lower()}s" in said
    assert "as the ClusterRole steadfit-oncall has it" in said


def test_a_verb_on_one_object_is_none_on_another(namespace: Kubectl) -> None:
    jane = grant(namespace, "jane", [CREATE, rule("rollback", "modeldeployments", "flights")])
    jane.create(action(ROLLBACK, "jane"))
    other = {**ROLLBACK, "target": {"kind": "ModelDeployment", "name": "fraud"}}
    assert "may not rollback ModelDeployment 'fraud'" in refusal(jane, action(other, "jane"))


def test_a_verb_is_no_right_to_another(namespace: Kubectl) -> None:
    jane = grant(namespace, "jane", [CREATE, rule("rollback", "modeldeployments")])
    assert "may not pin ModelDeployment 'flights'" in refusal(jane, action(PIN, "jane"))


def test_who_may_roll_back_may_not_release_what_was_rolled_back(namespace: Kubectl) -> None:
    jane = grant(namespace, "jane", [CREATE, rule("rollback", "modeldeployments", "flights")])
    jane.create(action(ROLLBACK, "jane"))
    assert (
        "user 'jane' may not release ModelDeployment 'flights': it takes the verb 'release' on"
        " modeldeployments.steadfit.dev in this namespace, as the ClusterRole steadfit-oncall has it"
    ) in refusal(jane, action(RELEASE, "jane"))


def test_the_right_to_release_is_given_on_one_model_alone(namespace: Kubectl) -> None:
    jane = grant(namespace, "jane", [CREATE, rule("release", "modeldeployments", "flights")])
    jane.create(action(RELEASE, "jane"))
    other = {**RELEASE, "target": {"kind": "ModelDeployment", "name": "fraud"}}
    assert "may not release ModelDeployment 'fraud'" in refusal(jane, action(other, "jane"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({**QUARANTINE, "version": None}, "Quarantine and Release need the version"),
        ({**RELEASE, "version": None}, "Quarantine and Release need the version"),
        ({**ABORT, "version": 7}, "Retrain, Cancel, Unpin, Abort and Refresh take no version"),
        ({**PROMOTE, "target": {"kind": "TrainingJob", "name": "flights"}}, "all other verbs is a ModelDeployment"),
    ],
    ids=["Quarantine", "Release", "Abort", "Promote"],
)
def test_a_verb_that_cannot_be_meant_is_refused_at_admission(
    shared_namespace: Kubectl, spec: dict[str, Any], said: str
) -> None:
    assert said in refusal(shared_namespace, action(spec, "kubernetes-admin"))


def test_a_verb_in_one_namespace_is_none_in_another(namespace: Kubectl, shared_namespace: Kubectl) -> None:
    grant(namespace, "jane", [CREATE, rule("rollback", "modeldeployments")])
    elsewhere = grant(shared_namespace, "jane", [CREATE])
    assert "may not rollback" in refusal(elsewhere, action(ROLLBACK, "jane"))


def test_a_selector_takes_the_right_to_every_object_of_the_namespace(namespace: Kubectl) -> None:
    every = {"verb": "Refresh", "target": {"kind": "ModelDeployment", "selector": {"matchLabels": {"team": "fraud"}}}}
    jane = grant(namespace, "jane", [CREATE, rule("refresh", "modeldeployments", "flights")])
    assert (
        "user 'jane' may not refresh every ModelDeployment: it takes the verb 'refresh' on"
        " modeldeployments.steadfit.dev in this namespace, as the ClusterRole steadfit-oncall has it"
    ) in refusal(jane, action(every, "jane"))
    bind(namespace, "joe", "steadfit-oncall").create(action(every, "joe"))


def test_all_namespaces_take_the_right_in_all_namespaces(namespace: Kubectl) -> None:
    target = {"kind": "ModelDeployment", "selector": {}, "allNamespaces": True}
    everywhere = {"verb": "Refresh", "target": target}
    jane = bind(namespace, "jane", "steadfit-oncall")
    assert (
        "may not refresh every ModelDeployment: it takes the verb 'refresh' on modeldeployments.steadfit.dev in all"
        " namespaces"
    ) in refusal(jane, action(everywhere, "jane"))
    namespace.create(action(everywhere, "kubernetes-admin"), "--dry-run=server")


def test_an_admin_may_label_what_somebody_else_asked_for(namespace: Kubectl) -> None:
    jane = bind(namespace, "jane", "steadfit-oncall")
    name = jane.create(action(ROLLBACK, "jane"))["metadata"]["name"]
    namespace.run("label", "modelaction", name, "incident=4711")
    stored = namespace.get("modelaction", name)
    assert stored is not None
    assert stored["metadata"]["labels"]["incident"] == "4711"


def test_a_bad_action_is_told_what_is_wrong_with_it_and_not_who_may_do_it(namespace: Kubectl) -> None:
    jane = grant(namespace, "jane", [CREATE])
    assert "Pin needs the version to serve" in refusal(jane, action({**PIN, "version": None}, "jane"))


def test_an_editor_edits_recipes_and_forges_no_results(namespace: Kubectl) -> None:
    jane = bind(namespace, "jane", "edit")
    for resource in ("trainingjobs.steadfit.dev", "modeldeployments.steadfit.dev"):
        assert can(jane, "create", resource)
        assert not can(jane, "patch", resource, "status")
    for resource in ("trainingruns.steadfit.dev", "modelversions.steadfit.dev", "modelactions.steadfit.dev"):
        assert can(jane, "list", resource)
        assert not can(jane, "create", resource)


def test_a_viewer_sees_everything_and_changes_nothing(namespace: Kubectl) -> None:
    jane = bind(namespace, "jane", "view")
    for resource in ("trainingjobs", "trainingruns", "modelversions", "modeldeployments", "modelactions"):
        assert can(jane, "watch", f"{resource}.steadfit.dev")
        assert not can(jane, "create", f"{resource}.steadfit.dev")


@pytest.mark.parametrize(
    ("verb", "resource", "subresource"),
    [
        ("list", "secrets", ""),
        ("get", "secrets", ""),
        ("create", "secrets", ""),
        ("create", "pods", "exec"),
        ("create", "pods", ""),
        ("create", "serviceaccounts", "token"),
        ("update", "trainingjobs.steadfit.dev", ""),
        ("patch", "modeldeployments.steadfit.dev", ""),
        ("create", "rolebindings", ""),
        ("impersonate", "users", ""),
    ],
)
def test_the_operator_has_no_right_it_does_not_need(
    shared_namespace: Kubectl, verb: str, resource: str, subresource: str
) -> None:
    assert not can(Kubectl(shared_namespace.namespace, OPERATOR), verb, resource, subresource)


def test_the_operator_reads_secrets_of_its_own_namespace_by_name_and_no_others(shared_namespace: Kubectl) -> None:
    home = Kubectl("steadfit-system", OPERATOR)
    assert can(home, "get", "secrets/steadfit-intake-tls")
    assert can(home, "get", "secrets/prometheus-token")  # credentials of MetricSources, whatever an admin calls them
    assert not can(home, "list", "secrets")
    assert not can(home, "watch", "secrets")
    assert not can(Kubectl(shared_namespace.namespace, OPERATOR), "get", "secrets/prometheus-token")
