import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import steadfit_trainer.__main__ as cli
from steadfit_trainer.report import termination_message
from steadfit_trainer.steps.fetch import fetch
from steadfit_trainer.steps.publish import publish

from tests.unit.trainer.flights import flights
from tests.unit.trainer.run_pod import RunPod, operator
from tests.unit.trainer.training import train


def _run(pod: RunPod, step: str, monkeypatch: pytest.MonkeyPatch, **more: str) -> tuple[int, str]:
    monkeypatch.setattr(cli, "fetch", partial(fetch, connect=pod.connect))
    monkeypatch.setattr(cli, "publish", partial(publish, connect=pod.connect))
    log = pod.root / "termination-log"
    environment = {
        "STEADFIT_CONFIG": json.dumps(pod.document),
        "STEADFIT_ROOT": str(pod.root),
        "STEADFIT_TERMINATION_LOG": str(log),
        **more,
    }
    return cli.main([step], environment), log.read_text() if log.exists() else ""


def test_both_steps_end_with_0_and_say_nothing_when_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    assert _run(pod, "fetch", monkeypatch) == (0, "")
    train(pod)
    with operator(tmp_path, (200, {"version": "v"})) as intake:
        pod.document["recordUrl"] = intake.url
        assert _run(pod, "publish", monkeypatch, STEADFIT_CA_FILE=str(intake.authority.ca_file)) == (0, "")


def test_fetch_ends_with_10_and_a_sentence_for_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _run(RunPod(tmp_path / "steadfit"), "fetch", monkeypatch)
    assert found == (10, "Data: There is nothing at s3://lake/flights/.")


def test_fetch_ends_with_11_and_a_sentence_for_the_store(tmp_path: Path) -> None:
    pod = RunPod(tmp_path / "steadfit")
    code, sentence = _process(pod, "fetch")
    assert (code, sentence) == (11, "Store: The store's credentials have no readable key AWS_ACCESS_KEY_ID.")


def test_publish_ends_with_11_when_its_deadline_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    assert _run(pod, "fetch", monkeypatch)[0] == 0
    train(pod)
    code, sentence = _run(pod, "publish", monkeypatch, STEADFIT_PUBLISH_DEADLINE="0.1")
    assert code == 11
    assert sentence.startswith("Store: The result was not published within 0.1 s. The operator can't be reached: ")


def test_publish_ends_with_12_and_a_sentence_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    assert _run(pod, "fetch", monkeypatch)[0] == 0
    code, sentence = _run(pod, "publish", monkeypatch)
    assert (code, sentence) == (12, "UserError: The training container wrote nothing to /steadfit/output/.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"recordUrl": "http://operator/x"}, "Internal: STEADFIT_CONFIG is wrong at 'recordUrl': String should match"),
        ({"data": []}, "Internal: STEADFIT_CONFIG is wrong at 'data': Tuple should have at least 1 item"),
        ({"run": {}}, "Internal: STEADFIT_CONFIG is wrong at 'run.namespace': Field required."),
    ],
)
def test_a_wrong_configuration_ends_with_1_and_names_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], sentence: str
) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.document |= change
    code, said = _run(pod, "fetch", monkeypatch)
    assert code == 1
    assert said.startswith(sentence)


@pytest.mark.parametrize("name", ["../up", "a/b", "", "UP", "x" * 70])
def test_a_data_sources_name_can_not_lead_out_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.document["data"][0]["name"] = name
    assert _run(pod, "fetch", monkeypatch)[0] == 1


def test_what_no_one_foresaw_ends_with_1_without_a_stack_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = RunPod(tmp_path / "steadfit")
    pod.put("s3://lake/flights/p.parquet", flights())
    _run(pod, "fetch", monkeypatch)
    pod.paths.resolved.unlink()
    code, sentence = _run(pod, "publish", monkeypatch)
    assert code == 1
    assert sentence.startswith("Internal: The publish step failed: FileNotFoundError: ")
    assert "Traceback" not in sentence


def test_an_unknown_step_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert cli.main(["train"], {"STEADFIT_TERMINATION_LOG": str(log)}) == 1
    assert log.read_text().startswith("Internal: Say which step to do: fetch or publish or evaluate")


def test_the_last_word_has_at_most_2_kib_and_one_line(tmp_path: Path) -> None:
    termination_message.write(tmp_path / "log", "Data", "a\nb " + "ä" * 4000)
    raw = (tmp_path / "log").read_bytes()
    assert len(raw) <= 2048
    assert raw.decode().startswith("Data: a b ää")
    assert raw.decode().endswith("…")


def test_a_termination_log_that_can_not_be_written_changes_nothing(tmp_path: Path) -> None:
    assert termination_message.write(tmp_path / "none" / "log", "Data", "x.") == "Data: x."


def _process(pod: RunPod, step: str) -> tuple[int, str]:
    """Run the step as Kubernetes does: a process and its environment."""
    log = pod.root / "termination-log"
    environment = {
        "STEADFIT_CONFIG": json.dumps(pod.document),
        "STEADFIT_ROOT": str(pod.root),
        "STEADFIT_TERMINATION_LOG": str(log),
    }
    done = subprocess.run([sys.executable, "-m", "steadfit_trainer", step], env=environment, timeout=100, check=False)
    return done.returncode, log.read_text()
