"""The pods that answer, as they are rendered."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.core.serving.serving_cluster import ServingCluster, serving
from tests.unit.core.serving.serving_cluster_objects import digest, store


def deployment(cluster: ServingCluster) -> dict[str, Any]:
    (found,) = cluster.workloads.values()
    return found


def container(cluster: ServingCluster) -> dict[str, Any]:
    (found,) = deployment(cluster)["spec"]["template"]["spec"]["containers"]
    result: dict[str, Any] = found
    return result


def env(cluster: ServingCluster) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(cluster)["env"]}


def test_a_deployment_selects_the_pods_of_its_revision_and_no_others() -> None:
    cluster = serving(1)
    revision = cluster.selected()
    spec = deployment(cluster)["spec"]
    assert spec["selector"]["matchLabels"] == {
        "steadfit.dev/model-deployment": "flights",
        "steadfit.dev/revision": revision,
    }
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[f"steadfit.dev/traffic-{revision}"] == "true"
    assert labels["app.kubernetes.io/managed-by"] == "steadfit"
    assert labels["steadfit.dev/version"] == "1"


def test_a_deployment_is_owned_and_found_by_its_labels() -> None:
    cluster = serving(1)
    metadata = deployment(cluster)["metadata"]
    assert metadata["name"] == f"flights-{cluster.selected()}"
    assert [(owner["kind"], owner["uid"], owner["controller"]) for owner in metadata["ownerReferences"]] == [
        ("ModelDeployment", "mdep-1", True)
    ]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "steadfit"
    assert metadata["annotations"]["steadfit.dev/artifact-digest"] == digest(1)


def test_a_pod_is_never_taken_away_before_another_is_ready() -> None:
    strategy = deployment(serving(1))["spec"]["strategy"]
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_a_server_is_told_what_to_serve() -> None:
    told = env(serving(1))
    assert (told["STEADFIT_NAMESPACE"], told["STEADFIT_MODEL_NAME"], told["STEADFIT_VERSION"]) == (
        "shop",
        "flights",
        "1",
    )
    assert told["STEADFIT_REVISION"] == {"fieldRef": {"fieldPath": "metadata.labels['steadfit.dev/revision']"}}
    assert json.loads(told["STEADFIT_ARTIFACT"]) == {
        "uri": "s3://models/1/",
        "digest": digest(1),
        "store": {
            "uriPrefix": "s3://models",
            "s3": {"endpoint": "http://store:7070", "region": "us-east-1", "forcePathStyle": True},
            "credentials": "/steadfit/credentials/default",
        },
    }


def test_a_server_has_the_stores_keys_and_ca_as_files() -> None:
    cluster = ServingCluster()
    cluster.stores = [store(s3={"caBundleSecret": {"name": "lake-ca", "key": "bundle.pem"}})]
    cluster.add(1)
    cluster.settle()
    pod = deployment(cluster)["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    mounted = {
        secrets[mount["name"]]: mount for mount in container(cluster)["volumeMounts"] if mount["name"] in secrets
    }
    assert {name: mount["mountPath"] for name, mount in mounted.items()} == {
        "store-credentials": "/steadfit/credentials/default",
        "lake-ca": "/steadfit/ca/default",
    }
    assert all(mount["readOnly"] for mount in mounted.values())
    artifact = json.loads(env(cluster)["STEADFIT_ARTIFACT"])
    assert artifact["store"]["caBundle"] == "/steadfit/ca/default/bundle.pem"
    assert "endpoint" not in artifact["store"]["s3"]


def test_volumes_of_stores_with_long_or_dotted_names_have_valid_names() -> None:
    cluster = ServingCluster()
    name = "store." * 20 + "example"
    cluster.stores = [store(name)]
    cluster.add(1, storeRef={"name": name})
    cluster.settle()
    for volume in deployment(cluster)["spec"]["template"]["spec"]["volumes"]:
        assert len(volume["name"]) <= 63
        assert "." not in volume["name"]


def test_a_server_is_restricted_and_has_no_api_token() -> None:
    cluster = serving(1)
    pod = deployment(cluster)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(cluster)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_a_server_has_a_bounded_place_for_its_model() -> None:
    cluster = serving(1)
    volumes = {volume["name"]: volume for volume in deployment(cluster)["spec"]["template"]["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container(cluster)["volumeMounts"]}
    assert volumes[mounts["/steadfit/model"]]["emptyDir"]["sizeLimit"]
    assert volumes[mounts["/tmp"]]["emptyDir"]["sizeLimit"]


def test_a_server_takes_requests_only_when_its_model_is_loaded_and_drains_before_it_ends() -> None:
    cluster = serving(1)
    probes = {
        name: container(cluster)[name]["httpGet"]["path"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert probes == {
        "startupProbe": "/v2/health/ready",
        "readinessProbe": "/v2/health/ready",
        "livenessProbe": "/v2/health/live",
    }
    assert {port["name"]: port["containerPort"] for port in container(cluster)["ports"]} == {
        "http": 8080,
        "metrics": 9090,
    }
    assert "lifecycle" not in container(cluster)
    assert deployment(cluster)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 30


def test_pods_are_found_by_a_prometheus_that_reads_annotations() -> None:
    annotations = deployment(serving(1))["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9090"
    assert annotations["prometheus.io/path"] == "/metrics"


def test_pods_of_a_revision_spread_over_nodes_where_they_can() -> None:
    cluster = serving(1)
    (constraint,) = deployment(cluster)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    assert constraint["labelSelector"]["matchLabels"] == {"steadfit.dev/revision": cluster.selected()}


def test_the_specs_pod_settings_reach_the_pod() -> None:
    cluster = ServingCluster()
    cluster.edit(
        server={
            "image": "mine:1",
            "env": [{"name": "LOG", "value": "debug"}],
            "resources": {"requests": {"cpu": 2}, "limits": {}},
            "pod": {
                "labels": {"team": "air"},
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
                "serviceAccountName": "server",
                "priorityClassName": "high",
                "imagePullSecrets": [{"name": "pull"}],
            },
        }
    )
    cluster.add(1)
    cluster.settle()
    template = deployment(cluster)["spec"]["template"]
    pod = template["spec"]
    assert template["metadata"]["labels"]["team"] == "air"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == ("server", "high")
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert container(cluster)["image"] == "mine:1"
    assert container(cluster)["resources"] == {"requests": {"cpu": 2}, "limits": {}}
    assert env(cluster)["LOG"] == "debug"


def test_without_an_image_of_its_own_a_deployment_has_the_installations_server() -> None:
    assert container(serving(1))["image"] == "steadfit/server:1"


def test_a_server_that_captures_is_told_where_to_how_much_and_how_soon() -> None:
    cluster = serving(1, capture={"sample": 0.25, "flushInterval": "1m30s"})
    assert env(cluster)["STEADFIT_CAPTURE_FLUSH_SECONDS"] == "90"
    assert json.loads(env(cluster)["STEADFIT_CAPTURE"]) == {
        "uri": "s3://models/shop/_captures/flights/",
        "sample": 0.25,
    }


def test_a_server_that_captures_nothing_has_the_pods_it_had_before_there_was_capture() -> None:
    assert "STEADFIT_CAPTURE" not in env(serving(1))


def test_nothing_is_expanded_in_a_servers_variables() -> None:
    cluster = serving(1, server={"replicas": 1, "env": [{"name": "PRICE", "value": "$(HOME) costs $5"}]})
    assert env(cluster)["PRICE"] == "$$(HOME) costs $$5"
