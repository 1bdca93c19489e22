"""The look-ups of a fleet: each is built at most once a pass, and finds what a walk over all objects would."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from steadfit.api.modelversion import ModelVersion
from steadfit.core.serving.template_difference import first_difference
from steadfit.core.serving.version_index import VersionIndex

from tests.unit.core.serving.canaries import STEPS
from tests.unit.core.serving.serving_cluster import serving
from tests.unit.core.serving.serving_cluster_objects import digest, version


def test_a_pass_compares_each_pod_template_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = serving(1, 2, strategy=STEPS)
    for workload in cluster.workloads.values():
        workload["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    compared: Counter[str] = Counter()

    def counting(ours: Any, theirs: Any, admitted: Any) -> str | None:
        compared[str(ours["metadata"]["labels"])] += 1
        return first_difference(ours, theirs, admitted)

    monkeypatch.setattr("steadfit.core.serving.fleet.first_difference", counting)
    cluster.plan()
    assert len(compared) == 2
    assert set(compared.values()) == {1}


def test_versions_of_one_name_number_or_artifact_are_all_found() -> None:
    first, again, copy = (
        ModelVersion.model_validate(
            version(number, job=job, artifact={"uri": "s3://models/x/", "digest": digest(seed)})
        )
        for number, job, seed in ((1, "job-1", 1), (1, "job-2", 7), (2, "job-1", 7))
    )
    index = VersionIndex([first, copy, again])
    assert index.newest_first == [copy, first, again]
    assert index.named("flights-v1") == index.numbered(1) == [first, again]
    assert index.of_artifact(digest(7)) == [copy, again]
    assert (index.named("flights-v3"), index.numbered(3), index.of_artifact(digest(3))) == ((), (), ())
