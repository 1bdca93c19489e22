from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from steadfit.api.record import Record

from tests.unit.core.training.builders import HEX, record

JSON = dict[str, Any]


def changed(path: str, value: Any) -> JSON:
    found = record()
    *parents, last = path.split(".")
    place: Any = found
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return found


def test_a_record_is_stored_as_it_was_posted() -> None:
    assert Record.model_validate(record()).dump() == record()


def test_nulls_are_left_out_as_the_api_server_leaves_them_out() -> None:
    posted = changed("environment", {"python": "3.11", "cuda": None, "packages": {"torch": None}})
    posted["source"] = {"commit": None}
    posted["evaluation"]["boundary"] = None
    posted["evaluation"]["metrics"] = {"roc_auc": None, "accuracy": 0.5}
    stored = Record.model_validate(posted).dump()
    assert stored["environment"] == {"python": "3.11", "packages": {}}
    assert stored["source"] == {}
    assert stored["evaluation"]["metrics"] == {"accuracy": 0.5}
    assert "null" not in json.dumps(stored)


def test_a_boundary_may_be_a_number() -> None:
    assert Record.model_validate(changed("evaluation.boundary", 12)).evaluation.boundary == "12"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schemaVersion", 2),
        ("run.attempt", 0),
        ("artifact.digest", "sha256:abc"),
        ("artifact.digest", f"sha256:{'cd' * 32}"),
        ("artifact.uri", f"https://models/artifacts/sha256/{HEX}/"),
        ("artifact.uri", f"s3://models/{HEX}/"),
        ("artifact.size", -1),
        ("artifact.files", []),
        ("artifact.files.0.sha256", "x"),
        ("artifact.files", [{"path": "p", "size": 1, "sha256": HEX}] * 65),
        ("data.0.digest", "md5:1"),
        ("data", [record()["data"][0]] * 2),
        ("evaluation.metrics", {"roc_auc": float("nan")}),
        ("evaluation.metrics", {"roc_auc": "good"}),
        ("evaluation.metrics", {f"m{index}": 0.5 for index in range(17)}),
        ("environment", {"load": float("inf")}),
        ("environment", []),
        ("params", {"grid": [1, 2]}),
        ("seed", -1),
    ],
)
def test_what_fits_no_version_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Record.model_validate(changed(path, value))


def test_json_without_end_is_refused() -> None:
    deep: JSON = {}
    for _ in range(200):
        deep = {"deeper": deep}
    with pytest.raises(ValidationError, match="nested deeper"):
        Record.model_validate(changed("environment", deep))


def test_a_record_with_two_quarantines_of_one_deployment_is_refused() -> None:
    """A ModelVersion holds one for each, so that it could not be made."""
    past = {"deployment": "orders", "reason": "r", "by": "b", "at": "2026-01-01T00:00:00Z", "revision": "x"}
    assert Record.model_validate({**record(), "quarantined": [past]}).quarantined is not None
    with pytest.raises(ValidationError, match="two entries of one ModelDeployment"):
        Record.model_validate({**record(), "quarantined": [past, past]})
