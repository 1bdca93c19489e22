"""Prometheus and Alertmanager in the cluster, wired to the operator that is installed there."""

import base64
import json
import urllib.request
from functools import partial

from tests.tools.local_cluster import kind, overlay
from tests.tools.local_cluster.install import NAMESPACE as OPERATOR
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import step

NAMESPACE = "monitoring"
PLACEHOLDERS = ("steadfit/prometheus", "steadfit/alertmanager", "steadfit/monitoring")
CERTIFICATE = "steadfit-intake-tls"
PROMETHEUS_PORT = 30080
ALERTMANAGER_PORT = 30081


def endpoint(settings: Settings, port: int) -> str:
    """Where this machine reaches a node port: our cluster's mapped one, else a node of the user's cluster."""
    if not settings.existing:
        return f"http://127.0.0.1:{port}"
    template = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    return f"http://{kind.kubectl(settings, 'get', 'nodes', '-o', template)}:{port}"


def trust(authority: str) -> str:
    """The namespace, and in it the CA by which Alertmanager recognises the operator's intake."""
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "steadfit-ca", "namespace": NAMESPACE},
            "data": {"ca.crt": authority},
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def install(settings: Settings, image: str) -> None:
    """Apply Prometheus and Alertmanager with the image built here, and wait until both answer."""
    base = settings.root / "manifests" / "dev" / "monitoring"
    directory = overlay.write(settings, "monitoring", base, dict.fromkeys(PLACEHOLDERS, image))
    with step("installing Prometheus and Alertmanager"):
        where = ("get", "secret", CERTIFICATE, "-n", OPERATOR, "-o", r"jsonpath={.data.ca\.crt}")
        authority = base64.b64decode(kind.kubectl(settings, *where)).decode()
        apply = ("apply", "--server-side", "--force-conflicts")
        kind.kubectl(settings, *apply, "--field-manager=steadfit-ca", "-f", "-", stdin=trust(authority))
        kind.kubectl(settings, *apply, "-k", str(directory))
        for name in ("prometheus", "alertmanager"):
            rollout = ("rollout", "status", f"statefulset/{name}", "-n", NAMESPACE, "--timeout=180s")
            kind.kubectl(settings, *rollout, timeout=200)
        if not settings.existing:
            for port in (PROMETHEUS_PORT, ALERTMANAGER_PORT):
                kind.wait_for(f"port {port}", partial(answers, settings, port), 60)


def answers(settings: Settings, port: int) -> bool:
    """Whether what stands behind a node port says that it is ready."""
    try:
        urllib.request.urlopen(f"{endpoint(settings, port)}/-/ready", timeout=3).close()
    except OSError:
        return False
    return True
