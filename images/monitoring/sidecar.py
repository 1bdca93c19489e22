"""Beside Prometheus: fetches the rules that the operator publishes, and finds pods where Prometheus itself cannot.

A ConfigMap cannot be mounted from another namespace, and the kubelet takes up to two minutes to bring a change into a
pod. Debian's Prometheus is built without Kubernetes; it reads the pods from a file instead. What cannot be fetched or
loaded leaves in force what is; it is tried again, for ever.
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
    """Reads from the API server as the pod's service account."""

    def __init__(self, url: str, account: Path = SERVICE_ACCOUNT) -> None:
        self._url = url
        self._account = account

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object or a list; None when there is none."""
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
    """Brings the published rules to Prometheus."""

    def __init__(self, api: APIServer, prometheus: str, namespace: str, name: str, key: str, file: Path) -> None:
        self._api = api
        self._prometheus = prometheus
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._key = key
        self._file = file
        self._loaded: str | None = None

    def look(self) -> None:
        """Fetch the rules, and have Prometheus load new ones."""
        found = self._api.get(self._path) or {}
        text = (found.get("data") or {}).get(self._key)
        if text is None or text == self._loaded:
            return
        replace(self._file, str(text))
        reload(self._prometheus)
        self._loaded = str(text)
        sys.stderr.write(f"loaded {len(text)} bytes of rules\n")


class Pods:
    """Writes the pods that ask to be scraped into a file that Prometheus watches."""

    def __init__(self, api: APIServer, file: Path) -> None:
        self._api = api
        self._file = file
        self._written: str | None = None

    def look(self) -> None:
        """List the pods, and write the file if it would differ."""
        found = self._api.get("/api/v1/pods?fieldSelector=status.phase%3DRunning&resourceVersion=0") or {}
        text = json.dumps([target(pod) for pod in found.get("items", []) if wanted(pod)], indent=1)
        if text != self._written:
            replace(self._file, text)
            self._written = text


def wanted(pod: dict[str, Any]) -> bool:
    """Return whether a pod asks to be scraped, and can be."""
    annotations = pod["metadata"].get("annotations", {})
    asks = annotations.get(f"{ANNOTATION}scrape") == "true" and annotations.get(f"{ANNOTATION}port", "").isdigit()
    return asks and bool(pod["status"].get("podIP"))


def target(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod as Prometheus reads it from a file."""
    metadata, address = pod["metadata"], pod["status"]["podIP"]
    annotations = metadata["annotations"]
    host = f"[{address}]" if ":" in address else address
    labels = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    path = annotations.get(f"{ANNOTATION}path", "/metrics")
    return {"targets": [f"{host}:{annotations[f'{ANNOTATION}port']}"], "labels": {**labels, "__metrics_path__": path}}


def reload(prometheus: str) -> None:
    """Have Prometheus read its files; raises an OSError with its own words if it does not want to."""
    request = urllib.request.Request(f"{prometheus}/-/reload", method="POST")  # noqa: S310 - our own Prometheus
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        raise OSError(f"Prometheus refuses the rules: {error.read().decode(errors='replace').strip()}") from error


def replace(file: Path, text: str) -> None:
    """Write a file in one step: Prometheus never reads half of it."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(file)


class Cautious:
    """Goes on after a problem, and says it once for as long as it lasts."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._said = ""

    def look(self) -> None:
        """Look, whatever comes of it."""
        problem = ""
        try:
            self._look()
        except (OSError, ValueError) as error:
            problem = str(error)
        if problem and problem != self._said:
            sys.stderr.write(f"everything stays as it is: {problem}\n")
        self._said = problem


def main() -> None:
    """Look for ever."""
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
    looks = [Cautious(rules.look)]
    if "PODS_FILE" in env:
        looks.append(Cautious(Pods(api, Path(env["PODS_FILE"])).look))
    while True:
        for each in looks:
            each.look()
        time.sleep(float(env.get("INTERVAL_SECONDS", "5")))


if __name__ == "__main__":
    main()
