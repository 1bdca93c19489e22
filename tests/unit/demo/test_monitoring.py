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


def test_posts_of_all_copies_of_alertmanager_are_added_up_and_none_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(url: str, query: str) -> Any:
        asked.append(query)
        return {"data": {"result": [sample("5")] if len(asked) == 1 else []}}

    monkeypatch.setattr("tests.demo.monitoring._get", get)
    monitoring = Monitoring("http://p", "http://a")
    assert (monitoring.notifications(), monitoring.notifications()) == (5, 0)
    assert asked[0] == 'sum(alertmanager_notifications_total{integration="webhook"})'


def test_every_alert_that_was_seen_is_written_once_as_it_was_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = iter([[{"fingerprint": "a", "at": 1}], [{"fingerprint": "a", "at": 2}, {"fingerprint": "b", "at": 2}], []])
    monkeypatch.setattr("tests.demo.monitoring._get", lambda url, **query: next(told))
    monitoring = Monitoring("http://p", "http://a")
    assert monitoring.alert(alertname="X") == {"fingerprint": "a", "at": 1}
    monitoring.alert(alertname="X")
    assert monitoring.alert(alertname="X") is None
    path = tmp_path_factory.mktemp("alerts") / "alerts.json"
    monitoring.write(path)
    assert path.read_text().count("fingerprint") == 2
    assert '"at": 1' not in path.read_text()
