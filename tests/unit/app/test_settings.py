from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from steadfit.app.settings import Settings


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFIT_TRAINER_IMAGE", "trainer:1")
    monkeypatch.setenv("STEADFIT_SERVER_IMAGE", "server:1")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFIT_WATCH_NAMESPACES", "one, two,")
    monkeypatch.setenv("STEADFIT_WORKERS", "8")
    settings = Settings()
    assert settings.trainer_image == "trainer:1"
    assert settings.watch_namespaces == ("one", "two")
    assert settings.workers == 8


def test_all_namespaces_are_watched_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFIT_WATCH_NAMESPACES", "")
    assert Settings().watch_namespaces == ()


def test_runs_reach_the_intake_by_its_service_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().record_url == "https://steadfit-operator.steadfit-system.svc:8443"
    monkeypatch.setenv("STEADFIT_INTAKE_URL", "https://10.0.0.1:8443")
    assert Settings().record_url == "https://10.0.0.1:8443"


def test_alerts_are_admitted_by_the_api_server_unless_a_token_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().alert_token_file is None
    monkeypatch.setenv("STEADFIT_ALERT_TOKEN_FILE", "/var/run/steadfit/alert-token")
    assert Settings().alert_token_file == Path("/var/run/steadfit/alert-token")


def test_a_missing_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEADFIT_TRAINER_IMAGE")
    with pytest.raises(ValidationError, match="trainer_image"):
        Settings()


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "0"), ("INTAKE_PORT", "70000"), ("LOG_LEVEL", "LOUD")])
def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"STEADFIT_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
