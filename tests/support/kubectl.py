"""kubectl for tests and the demo: JSON in, JSON out, and one way to wait."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]


class KubectlError(RuntimeError):
    """kubectl said no; the message is what it wrote to standard error."""


class TimedOut(AssertionError):  # noqa: N818
    """What was waited for did not come; the message names it and shows the last state."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl bound to one namespace, or to none for cluster-scoped objects."""

    namespace: str | None = None
    user: str | None = None

    def run(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl and return its standard output.

        Raises
        ------
        KubectlError
            If it exits with anything but 0 and `check` is true.
        """
        command = ["kubectl", "--request-timeout=30s"]
        if self.namespace:
            command += ["--namespace", self.namespace]
        if self.user:
            command += ["--as", self.user]
        done = subprocess.run([*command, *args], input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise KubectlError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def apply(self, manifest: Manifest | list[Manifest] | Path, *options: str) -> str:
        """`kubectl apply` of objects, a file or a kustomization folder."""
        if isinstance(manifest, Path):
            return self.run("apply", "-k" if manifest.is_dir() else "-f", str(manifest), *options)
        items = manifest if isinstance(manifest, list) else [manifest]
        return self.run("apply", *options, "-f", "-", stdin=json.dumps(_list(items)))

    def create(self, manifest: Manifest, *options: str) -> Manifest:
        """`kubectl create`, returning the object as stored."""
        created: Manifest = json.loads(
            self.run("create", *options, "-o", "json", "-f", "-", stdin=json.dumps(manifest))
        )
        return created

    def get(self, kind: str, name: str) -> Manifest | None:
        """Return one object, None when there is none."""
        text = self.run("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, selector: str | None = None) -> list[Manifest]:
        """Return the objects of a kind."""
        options = ["-l", selector] if selector else []
        items: list[Manifest] = json.loads(self.run("get", kind, *options, "-o", "json"))["items"]
        return items

    def post(self, path: str, body: Manifest) -> Manifest:
        """POST JSON to a path of the API server, for example through its proxy to a Service."""
        answer: Manifest = json.loads(self.run("create", "--raw", path, "-f", "-", stdin=json.dumps(body)))
        return answer

    def whoami(self) -> str:
        """Return the user name the API server knows us by."""
        name: str = json.loads(self.run("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
        return name

    def wait_for(
        self,
        kind: str,
        name: str,
        done: Callable[[Manifest], object],
        *,
        timeout: float = 120,
        what: str = "",
    ) -> Manifest:
        """Poll one object until `done` is true of it, and return it then.

        Raises
        ------
        TimedOut
            After `timeout` seconds, with the object's last status.
        """
        last: Manifest | None = None
        for _ in ticks(timeout):
            last = self.get(kind, name)
            if last is not None and done(last):
                return last
        shown = json.dumps((last or {}).get("status", last), indent=1)
        raise TimedOut(f"{what or 'what was waited for'}: {kind}/{name} after {timeout:.0f} s is\n{shown}")


def ticks(timeout: float, interval: float = 0.5) -> Iterator[float]:
    """Yield the seconds since the start, once an interval, until the time is over."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < timeout:
        yield elapsed
        time.sleep(interval)


def condition(manifest: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """Return the condition of a type, an empty dict when there is none."""
    conditions = manifest.get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == type_), {})


def is_true(manifest: Mapping[str, Any], type_: str) -> bool:
    """Return whether a condition is True for the object's present generation."""
    entry = condition(manifest, type_)
    return entry.get("status") == "True" and entry.get("observedGeneration") == manifest["metadata"].get("generation")


def _list(items: list[Manifest]) -> Manifest:
    return {"apiVersion": "v1", "kind": "List", "items": items}
