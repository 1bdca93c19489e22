import json
from pathlib import Path

import pytest
import yaml

from tests.tools.local_cluster import kind, registry, store
from tests.tools.local_cluster.settings import REPOSITORY, Settings


def test_the_cluster_has_two_nodes_and_ports_for_this_machine_only() -> None:
    config = yaml.safe_load(kind.render_config())
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker"]
    mappings = config["nodes"][0]["extraPortMappings"]
    assert {mapping["listenAddress"] for mapping in mappings} == {"127.0.0.1"}
    assert {mapping["hostPort"] for mapping in mappings} >= {store.NODE_PORT, 30080}
    assert config["networking"] == {"podSubnet": kind.POD_SUBNET, "serviceSubnet": kind.SERVICE_SUBNET}


def test_the_nodes_read_where_the_registry_is_from_one_directory() -> None:
    patch = yaml.safe_load(kind.render_config())["containerdConfigPatches"][0]
    baked = (REPOSITORY / "images/kind-node/containerd.toml").read_text()
    for text in (patch, baked):
        assert 'config_path = "/etc/containerd/certs.d"' in text
    assert f"http://{registry.CONTAINER}:5000" in registry.hosts_toml()


def settings_with_kubectl(tmp_path: Path, script: str) -> Settings:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    settings.bin.mkdir(parents=True)
    program = settings.bin / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    settings.kubeconfig.touch()
    return settings


def pods(ready: str) -> str:
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return json.dumps({"items": [{"metadata": {"name": "coredns-1"}, "status": status}]})


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (f"echo '{pods('True')}'", None),
        (f"echo '{pods('False')}'", "pod coredns-1 is not ready"),
        ("echo 'connection refused' >&2; exit 1", "connection refused"),
        (f"case \"$*\" in *worker*) echo 'node gone' >&2; exit 1;; esac; echo '{pods('True')}'", "node gone"),
    ],
)
def test_a_cluster_is_healthy_when_both_kubelets_answer_and_its_pods_are_ready(
    tmp_path: Path, script: str, problem: str | None
) -> None:
    assert kind.problem(settings_with_kubectl(tmp_path, script)) == problem


def test_without_a_kubeconfig_there_is_no_healthy_cluster(tmp_path: Path) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    assert kind.problem(settings) == "there is no kubeconfig"


def test_the_store_is_reached_with_the_keys_and_the_port_of_its_manifest() -> None:
    documents = list(yaml.safe_load_all((REPOSITORY / "manifests/dev/store/store.yaml").read_text()))
    objects = {document["kind"]: document for document in documents}
    assert objects["Secret"]["stringData"] == {
        "AWS_ACCESS_KEY_ID": store.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": store.SECRET_KEY,
    }
    assert objects["Service"]["spec"]["ports"][0]["nodePort"] == store.NODE_PORT
    assert objects["Namespace"]["metadata"]["name"] == store.NAMESPACE
