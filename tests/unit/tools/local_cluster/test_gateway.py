"""Traefik in the local cluster: what it may do there, and whose clusters get none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools.local_cluster import gateway, gateway_api, kind
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import REPOSITORY, Settings

MANIFESTS = REPOSITORY / "manifests" / "dev" / "gateway" / "traefik.yaml"


def rules() -> list[dict[str, Any]]:
    (role,) = (one for one in yaml.safe_load_all(MANIFESTS.read_text()) if one["kind"] == "ClusterRole")
    found: list[dict[str, Any]] = role["rules"]
    return found


def test_a_cluster_of_the_users_gets_no_traefik(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "kubectl", lambda *_, **__: pytest.fail("kubectl was asked"))
    env = {"HOME": str(tmp_path), "CLUSTER": "existing", "REGISTRY": "localhost:5001/x"}
    gateway.install(Settings.from_environment(env), Engine(ours=False, env={}))


def test_traefik_writes_nothing_but_the_status_of_gateways_and_routes() -> None:
    written = {name for rule in rules() if set(rule["verbs"]) - {"list", "watch"} for name in rule["resources"]}
    assert written == {"gatewayclasses/status", "gateways/status", "httproutes/status"}


def test_the_cluster_knows_each_kind_of_the_gateway_api_that_traefik_lists() -> None:
    (listed,) = (
        rule["resources"] for rule in rules() if gateway_api.GROUP in rule["apiGroups"] and "list" in rule["verbs"]
    )
    assert set(listed) == set(gateway_api.KINDS)
