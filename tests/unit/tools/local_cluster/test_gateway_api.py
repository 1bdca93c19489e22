"""The CRDs of the Gateway API: what is downloaded is what was pinned, and somebody else's are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.local_cluster import gateway_api, kind, tools
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError


def settings(tmp_path: Path, **env: str) -> Settings:
    return Settings.from_environment({"STEADFIT_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), **env})


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The answer of `go mod download`, and a module beside it."""
    crds = tmp_path / "module" / "config" / "crd" / "standard"
    crds.mkdir(parents=True)
    for plural in (*gateway_api.KINDS, "tcproutes"):
        (crds / f"gateway.networking.k8s.io_{plural}.yaml").write_text(plural)
    answer = {"Sum": gateway_api.SUM, "Dir": str(tmp_path / "module")}
    monkeypatch.setattr(tools, "go", lambda _: "go")
    monkeypatch.setattr(gateway_api, "run", lambda *_, **__: json.dumps(answer))
    return answer


@pytest.mark.usefixtures("module")
def test_only_the_kinds_that_a_route_needs_are_kept(tmp_path: Path) -> None:
    found = gateway_api.definitions(settings(tmp_path))
    kept = {path.name for path in found.iterdir()}
    assert kept == {f"gateway.networking.k8s.io_{plural}.yaml" for plural in gateway_api.KINDS}


def test_another_module_than_the_pinned_one_is_refused_and_not_kept(tmp_path: Path, module: dict[str, Any]) -> None:
    module["Sum"] = "h1:another"
    with pytest.raises(BringUpError, match="is not the pinned one"):
        gateway_api.definitions(settings(tmp_path))
    module["Sum"] = gateway_api.SUM
    assert gateway_api.definitions(settings(tmp_path)).is_dir()


def test_in_a_cluster_of_the_users_the_definitions_that_are_there_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def kubectl(_: Settings, *args: str, **__: object) -> str:
        asked.append(args)
        return "customresourcedefinition/httproutes.gateway.networking.k8s.io"

    monkeypatch.setattr(kind, "kubectl", kubectl)
    gateway_api.install(settings(tmp_path, CLUSTER="existing", REGISTRY="localhost:5001/x"))
    assert [args[0] for args in asked] == ["get"]
