"""What the demo reads from Prometheus and Alertmanager."""

from typing import Any

import pytest

from tests.demo.monitoring import Monitoring, only_value, selector


def sample(value: str) -> dict[str, Any]:
    return {"metric": {}, "value": [1.0, value]}


@pytest.mark.parametrize(
    ("result", "value"),
    [([sample("0.4")], 0.4), ([], None), ([sample("NaN")], None), ([sample("1"), sample("2")], None)],
)
def test_only_one_number_is_a_value(result: list[dict[str, Any]], value: float | None) -> None:
    assert only_value(result) == value


def test_a_series_is_asked_for_by_its_labels() -> None:
    assert selector("steadfit:drift_psi:weighted", model="m", window="90s") == (
        'steadfit:drift_psi:weighted{model="m",window="90s"}'
    )


def test_every_alert_that_was_seen_is_written_once_as_it_was_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = iter([[{"fingerprint": "a", "at": 1}], [{"fingerprint": "a", "at": 2}, {"fingerprint": "b", "at": 2}], []])
    monkeypatch.setattr("tests.demo.monitoring._get", lambda url, **query: next(told))
    monitoring = Monitoring("http://p", "http://a")
    assert monitoring.alerts(alertname="X") == [{"fingerprint": "a", "at": 1}]
    monitoring.alerts(alertname="X")
    assert monitoring.alerts(alertname="X") == []
    path = tmp_path_factory.mktemp("alerts") / "alerts.json"
    monitoring.write(path)
    assert path.read_text().count("fingerprint") == 2
    assert '"at": 1' not in path.read_text()
