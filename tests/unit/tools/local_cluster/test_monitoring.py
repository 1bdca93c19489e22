"""The manifests of Prometheus and Alertmanager fit the operator, and the sidecar never makes things worse."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from steadfit.app.rules.publisher import KEY, NAME
from steadfit.app.settings import Settings as OperatorSettings

from tests.support.promtool import promtool
from tests.tools.local_cluster import kind, monitoring
from tests.tools.local_cluster.settings import REPOSITORY

MANIFESTS = REPOSITORY / "manifests"


def load(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / path).read_text()))


def find(path: str, kind_: str, name: str) -> dict[str, Any]:
    return next(one for one in load(path) if (one["kind"], one["metadata"]["name"]) == (kind_, name))


def test_prometheus_accepts_the_local_configuration(tmp_path: Path) -> None:
    promtool("check", "config", str(MANIFESTS / "dev/monitoring/prometheus.yml"), cwd=tmp_path)


def test_the_local_alertmanager_differs_from_the_example_in_times_alone() -> None:
    base, ours = (load(f"{place}/alertmanager.yml")[0] for place in ("monitoring", "dev/monitoring"))
    times = {"group_wait", "group_interval", "repeat_interval"}
    assert all(base["route"][name] != ours["route"][name] for name in times)
    for config in (base, ours):
        for name in times:
            del config["route"][name]
    assert base == ours


def test_the_local_prometheus_differs_from_the_example_in_times_and_in_who_finds_the_pods() -> None:
    base, ours = (load(f"{place}/prometheus.yml")[0] for place in ("monitoring", "dev/monitoring"))
    for config in (base, ours):
        (job,) = config["scrape_configs"]
        for name in ("kubernetes_sd_configs", "file_sd_configs", "relabel_configs"):
            job.pop(name, None)
        del config["global"]["scrape_interval"]
        del config["alerting"]["alertmanagers"][0]["dns_sd_configs"][0]["refresh_interval"]
    assert base == ours


def test_series_keep_the_labels_that_the_servers_gave_them() -> None:
    for place in ("monitoring", "dev/monitoring"):
        (job,) = load(f"{place}/prometheus.yml")[0]["scrape_configs"]
        assert job["honor_labels"] is True


def test_alerts_are_posted_to_the_operators_intake_with_its_ca_and_a_token_of_alertmanagers_own() -> None:
    (webhook,) = load("monitoring/alertmanager.yml")[0]["receivers"][0]["webhook_configs"]
    fields = OperatorSettings.model_fields
    host = f"{fields['service_name'].default}.{fields['namespace'].default}.svc"
    assert webhook["url"] == f"https://{host}:{fields['intake_port'].default}/v1/alerts"
    pod = find("monitoring/alertmanager.yaml", "StatefulSet", "alertmanager")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    token = volumes["token"]["projected"]["sources"][0]["serviceAccountToken"]
    assert "audience" not in token  # the API server's own: it is who reviews the token
    assert webhook["http_config"] == {
        "authorization": {"credentials_file": f"{mounts['token']}/{token['path']}"},
        "tls_config": {"ca_file": f"{mounts['ca']}/ca.crt"},
    }
    (_, authority) = json.loads(monitoring.trust("PEM"))["items"]
    assert authority["metadata"]["name"] == volumes["ca"]["configMap"]["name"]
    assert authority["data"] == {"ca.crt": "PEM"}
    assert fields["certificate_secret"].default == monitoring.CERTIFICATE


def test_alertmanager_may_post_alerts_by_the_role_that_the_operator_ships() -> None:
    binding = find("monitoring/alertmanager.yaml", "ClusterRoleBinding", "steadfit-example-alert-sender")
    role = find("base/user-roles.yaml", "ClusterRole", binding["roleRef"]["name"])
    assert role["rules"] == [{"nonResourceURLs": ["/v1/alerts"], "verbs": ["post"]}]
    labels = find("monitoring/alertmanager.yaml", "StatefulSet", "alertmanager")["spec"]["template"]["metadata"][
        "labels"
    ]
    (policy,) = load("base/network-policy.yaml")
    allowed = [peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"]]
    assert any(wanted.items() <= labels.items() for wanted in allowed)


def test_prometheus_may_read_the_published_rules_and_nothing_else_of_the_operators_namespace() -> None:
    role = find("monitoring/prometheus.yaml", "Role", "steadfit-rules-reader")
    assert role["metadata"]["namespace"] == OperatorSettings.model_fields["namespace"].default
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get"]},
    ]


def test_the_node_ports_are_those_that_the_cluster_maps() -> None:
    patches = load("dev/monitoring/kustomization.yaml")[0]["patches"]
    ports = {
        operation["value"]
        for patch in patches
        for operation in yaml.safe_load(patch["patch"])
        if operation["path"].endswith("nodePort")
    }
    assert ports == {monitoring.PROMETHEUS_PORT, monitoring.ALERTMANAGER_PORT}
    assert ports <= set(kind.NODE_PORTS)


def test_the_metric_source_named_default_is_the_service_of_prometheus() -> None:
    (source,) = load("monitoring/metric-source.yaml")
    service = find("monitoring/prometheus.yaml", "Service", "prometheus")
    metadata, (port,) = service["metadata"], service["spec"]["ports"]
    assert source["metadata"]["name"] == "default"
    assert source["spec"]["url"] == f"http://{metadata['name']}.{metadata['namespace']}.svc:{port['port']}"


def script() -> Any:
    path = REPOSITORY / "images" / "monitoring" / "sidecar.py"
    spec = importlib.util.spec_from_file_location("sidecar", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SIDECAR = script()


class Cluster(ThreadingHTTPServer):
    """The API server with one ConfigMap and some pods, and Prometheus."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rules: str | None = "groups: []"
        self.pods: list[dict[str, Any]] = []
        self.api_status = 200
        self.reload_status = 200
        self.reloads = 0
        self.tokens: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers["Authorization"])
        if self.path.startswith("/api/v1/pods?"):
            self._answer(self.server.api_status, json.dumps({"items": self.server.pods}))
            return
        assert self.path == f"/api/v1/namespaces/steadfit-system/configmaps/{NAME}"
        status = self.server.api_status if self.server.rules is not None else 404
        self._answer(status, json.dumps({"data": {KEY: self.server.rules}}))

    def do_POST(self) -> None:
        assert self.path == "/-/reload"
        self.server.reloads += 1
        self._answer(self.server.reload_status, "bad rule")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    server = Cluster()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(cluster: Cluster, tmp_path: Path) -> Any:
    (tmp_path / "token").write_text("first\n")
    return SIDECAR.APIServer(f"http://127.0.0.1:{cluster.server_port}", tmp_path)


@pytest.fixture
def rules(cluster: Cluster, api: Any, tmp_path: Path) -> Any:
    prometheus = f"http://127.0.0.1:{cluster.server_port}"
    found = SIDECAR.Rules(api, prometheus, "steadfit-system", NAME, KEY, tmp_path / "rules.yml")
    return SIDECAR.FailureTolerantPoll(found.poll)


def test_rules_are_loaded_when_they_are_new_and_only_then(cluster: Cluster, rules: Any, tmp_path: Path) -> None:
    rules.poll()
    rules.poll()
    assert ((tmp_path / "rules.yml").read_text(), cluster.reloads) == ("groups: []", 1)
    cluster.rules = "groups: [more]"
    rules.poll()
    assert ((tmp_path / "rules.yml").read_text(), cluster.reloads) == ("groups: [more]", 2)
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("problem", ["deleted", "down"])
def test_rules_that_cannot_be_fetched_stay_in_force(cluster: Cluster, rules: Any, tmp_path: Path, problem: str) -> None:
    rules.poll()
    if problem == "deleted":
        cluster.rules = None
    else:
        cluster.api_status = 503
    rules.poll()
    assert ((tmp_path / "rules.yml").read_text(), cluster.reloads) == ("groups: []", 1)


def test_a_load_that_failed_is_tried_again_and_said_once(
    cluster: Cluster, rules: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.reload_status = 500
    for _ in range(3):
        rules.poll()
    assert cluster.reloads == 3
    assert capsys.readouterr().err.count("Prometheus refuses the rules: bad rule") == 1
    cluster.reload_status = 200
    rules.poll()
    rules.poll()
    assert cluster.reloads == 4


def test_a_renewed_token_is_used(cluster: Cluster, rules: Any, tmp_path: Path) -> None:
    rules.poll()
    (tmp_path / "token").write_text("second")
    rules.poll()
    assert cluster.tokens == ["Bearer first", "Bearer second"]


def pod(name: str, address: str = "10.0.0.1", **annotations: str) -> dict[str, Any]:
    asked = {f"prometheus.io/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "namespace": "ns", "annotations": asked}, "status": {"podIP": address}}


def test_the_pods_that_ask_for_it_are_scraped_where_they_say(cluster: Cluster, api: Any, tmp_path: Path) -> None:
    cluster.pods = [
        pod("server", scrape="true", port="9090", path="/m"),
        pod("six", "fd00::1", scrape="true", port="8080"),
        pod("starting", "", scrape="true", port="8080"),
        pod("silent", port="8080"),
        pod("odd", scrape="true", port="http"),
        {"metadata": {"name": "plain", "namespace": "ns"}, "status": {"podIP": "10.0.0.2"}},
    ]
    SIDECAR.Pods(api, tmp_path / "pods.json").poll()
    assert json.loads((tmp_path / "pods.json").read_text()) == [
        {"targets": ["10.0.0.1:9090"], "labels": {"namespace": "ns", "pod": "server", "__metrics_path__": "/m"}},
        {"targets": ["[fd00::1]:8080"], "labels": {"namespace": "ns", "pod": "six", "__metrics_path__": "/metrics"}},
    ]


def test_pods_stay_as_they_are_while_the_api_server_does_not_answer(cluster: Cluster, api: Any, tmp_path: Path) -> None:
    cluster.pods = [pod("server", scrape="true", port="9090")]
    pods = SIDECAR.FailureTolerantPoll(SIDECAR.Pods(api, tmp_path / "pods.json").poll)
    pods.poll()
    before = (tmp_path / "pods.json").read_text()
    cluster.api_status, cluster.pods = 503, []
    pods.poll()
    assert (tmp_path / "pods.json").read_text() == before
