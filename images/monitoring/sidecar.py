"""Sidecar of Prometheus: fetches the rules that the operator publishes, and lists the pods to scrape.

A ConfigMap can't be mounted from another namespace, and the kubelet takes up to two minutes to update it in a pod.
Debian's Prometheus is built without Kubernetes discovery, so it reads the pods from a file. After a failure the last
rules and pods stay in use, and the next poll tries again.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT = 10.0
ANNOTATION = "prometheus.io/"


class APIServer:
    """Client of the API server with the pod's service account."""

    def __init__(self, url: str, account: Path = SERVICE_ACCOUNT) -> None:
        self._url = url
        self._account = account

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object or a list; None if there is none."""
        # The kubelet renews the token, so it is read each time.
        headers = {"Authorization": f"Bearer {(self._account / 'token').read_text().strip()}"}
        context = (
            ssl.create_default_context(cafile=str(self._account / "ca.crt")) if self._url[:6] == "https:" else None
        )
        request = urllib.request.Request(f"{self._url}{path}", headers=headers)  # noqa: S310 - the API server's URL
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as reply:  # noqa: S310
                found: dict[str, Any] = json.load(reply)
                return found
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


class Rules:
    """Copies the published rules to Prometheus."""

    def __init__(self, api: APIServer, prometheus: str, namespace: str, name: str, key: str, file: Path) -> None:
        self._api = api
        self._prometheus = prometheus
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._key = key
        self._file = file
        self._loaded: str | None = None

    def poll(self) -> None:
        """Fetch the rules, and reload Prometheus if they have changed."""
        found = self._api.get(self._path) or {}
        text = (found.get("data") or {}).get(self._key)
        if text is None or text == self._loaded:
            return
        replace(self._file, str(text))
        reload(self._prometheus)
        self._loaded = str(text)
        sys.stderr.write(f"loaded {len(text)} bytes of rules\n")


class Pods:
    """Writes the pods with scrape annotations to a file that Prometheus watches."""

    def __init__(self, api: APIServer, file: Path) -> None:
        self._api = api
        self._file = file
        self._written: str | None = None

    def poll(self) -> None:
        """List the pods, and write the file if it has changed."""
        found = self._api.get("/api/v1/pods?fieldSelector=status.phase%3DRunning&resourceVersion=0") or {}
        text = json.dumps([target(pod) for pod in found.get("items", []) if is_scraped(pod)], indent=1)
        if text != self._written:
            replace(self._file, text)
            self._written = text


def is_scraped(pod: dict[str, Any]) -> bool:
    """Return whether a pod has the scrape annotations and an IP address."""
    annotations = pod["metadata"].get("annotations", {})
    annotated = annotations.get(f"{ANNOTATION}scrape") == "true" and annotations.get(f"{ANNOTATION}port", "").isdigit()
    return annotated and bool(pod["status"].get("podIP"))


def target(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod as a target of Prometheus' file-based discovery."""
    metadata, address = pod["metadata"], pod["status"]["podIP"]
    annotations = metadata["annotations"]
    host = f"[{address}]" if ":" in address else address
    labels = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    path = annotations.get(f"{ANNOTATION}path", "/metrics")
    return {"targets": [f"{host}:{annotations[f'{ANNOTATION}port']}"], "labels": {**labels, "__metrics_path__": path}}


def reload(prometheus: str) -> None:
    """Reload Prometheus; raises OSError with its message if it refuses the rules."""
    request = urllib.request.Request(f"{prometheus}/-/reload", method="POST")  # noqa: S310 - our own Prometheus
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        raise OSError(f"Prometheus refuses the rules: {error.read().decode(errors='replace').strip()}") from error


def replace(file: Path, text: str) -> None:
    """Write a file atomically, so that Prometheus never reads a part of it."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(file)


class FailureTolerantPoll:
    """Catches the failures of a poll, and logs each failure once while it lasts."""

    def __init__(self, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._logged = ""

    def poll(self) -> None:
        """Poll once; log a failure and return."""
        problem = ""
        try:
            self._poll()
        except (OSError, ValueError) as error:
            problem = str(error)
        if problem and problem != self._logged:
            sys.stderr.write(f"everything stays as it is: {problem}\n")
        self._logged = problem


def main() -> None:
    """Poll for ever."""
    env = os.environ
    host, port = env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT_HTTPS"]
    api = APIServer(f"https://{f'[{host}]' if ':' in host else host}:{port}")
    rules = Rules(
        api,
        prometheus=env.get("PROMETHEUS_URL", "http://127.0.0.1:9090"),
        namespace=env.get("RULES_NAMESPACE", "steadfit-system"),
        name=env.get("RULES_NAME", "steadfit-rules"),
        key=env.get("RULES_KEY", "steadfit.rules.yml"),
        file=Path(env.get("RULES_FILE", "/rules/steadfit.rules.yml")),
    )
    polls = [FailureTolerantPoll(rules.poll)]
    if "PODS_FILE" in env:
        polls.append(FailureTolerantPoll(Pods(api, Path(env["PODS_FILE"])).poll))
    while True:
        for each in polls:
            each.poll()
        time.sleep(float(env.get("INTERVAL_SECONDS", "5")))


if __name__ == "__main__":
    main()
