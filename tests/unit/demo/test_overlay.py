"""The example in demo time is the example: valid, with the same levels, only faster."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from steadfit.api.base import parse_duration
from steadfit.api.modeldeployment import ModelDeployment
from steadfit.api.monitor import Monitor
from steadfit.api.trainingjob import TrainingJob
from steadfit.core.rules.alerts import alert_name

from tests.demo import overlay, player, replay
from tests.demo.offline import EXAMPLE

IMAGE = "registry.example/flights-train@sha256:" + "0" * 64


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text())
    return found


def patched(manifest: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply a JSON patch of `add`, `replace` and `remove` on members of objects."""
    changed = copy.deepcopy(manifest)
    for each in patch:
        *folders, last = each["path"].strip("/").split("/")
        node: Any = changed
        for folder in folders:
            node = node[int(folder)] if isinstance(node, list) else node[folder]
        if each["op"] in ("replace", "remove"):
            assert last in node, f"{each['path']} is not there"
        if each["op"] == "remove":
            del node[last]
        else:
            node[last] = each["value"]
    return changed


def in_demo_time() -> tuple[TrainingJob, ModelDeployment]:
    job = patched(example("training-job.yaml"), overlay.of_training_job(IMAGE))
    manifest = example("model-deployment.yaml")
    deployment = patched(manifest, overlay.of_model_deployment(manifest))
    return TrainingJob.model_validate(job), ModelDeployment.model_validate(deployment)


def drift_monitor(deployment: ModelDeployment) -> Monitor:
    return next(each for each in deployment.spec.monitors if each.drift)


def test_the_demo_changes_no_level_and_no_number_of_samples() -> None:
    production = ModelDeployment.model_validate(example("model-deployment.yaml"))
    _, demo = in_demo_time()
    unchanged = {"window", "for_"}
    assert [each.model_dump(exclude=unchanged) for each in demo.spec.monitors] == [
        each.model_dump(exclude=unchanged) for each in production.spec.monitors
    ]


def test_every_monitor_looks_at_one_month_of_the_demo_and_fires_at_once() -> None:
    _, demo = in_demo_time()
    assert {(each.window, each.for_) for each in demo.spec.monitors} == {(overlay.WINDOW, None)}


def test_a_month_of_the_demo_has_enough_flights_for_the_monitor_but_half_a_month_has_not() -> None:
    _, demo = in_demo_time()
    monitor = drift_monitor(demo)
    flights = player.RATE * replay.SECONDS
    assert monitor.min_samples is not None
    assert flights / 2 < monitor.min_samples < flights


def test_the_monitors_alert_is_the_one_that_the_trigger_takes() -> None:
    job, demo = in_demo_time()
    monitor = drift_monitor(demo)
    taken = [each.alert.match_labels for each in job.spec.triggers if each.alert]
    assert taken == [{"alertname": alert_name(monitor)}]


def test_the_demo_changes_times_of_a_rollout_but_no_step_margin_or_number_of_samples() -> None:
    production = ModelDeployment.model_validate(example("model-deployment.yaml")).spec
    _, demo = in_demo_time()
    assert demo.spec.strategy == production.strategy
    assert (
        demo.spec.analysis.model_copy(update={"max_duration": production.analysis.max_duration}) == production.analysis
    )
    assert demo.spec.capture is not None
    assert production.capture is not None
    assert (demo.spec.capture.sample, demo.spec.limits) == (production.capture.sample, production.limits)


def test_a_run_may_follow_another_one_within_a_month_and_every_day_of_the_year() -> None:
    job, _ = in_demo_time()
    assert parse_duration(job.spec.limits.cooldown).total_seconds() < replay.SECONDS
    assert job.spec.limits.max_runs_per_day == overlay.MOST_RUNS


def test_enough_rows_are_captured_in_a_month_for_an_evaluation() -> None:
    _, demo = in_demo_time()
    quality = next(each for each in demo.spec.monitors if each.action == "Recover")
    assert quality.min_samples is not None
    assert demo.spec.capture is not None
    assert player.RATE * replay.SECONDS * demo.spec.capture.sample > 1.5 * quality.min_samples


def test_only_the_feed_differs_while_the_metric_one_is_committed() -> None:
    before, after = overlay.of_training_job(IMAGE), overlay.of_training_job(IMAGE, "s3://lake/flights-metric/")
    job = example("training-job.yaml")
    changed = patched(job, after)
    assert changed["spec"]["data"][0].pop("uri") == "s3://lake/flights-metric/"
    same = patched(job, before)
    assert same["spec"]["data"][0].pop("uri") == "s3://lake/flights/"
    assert changed == same


def test_the_kustomization_names_the_image_and_finds_the_example(tmp_path: Path) -> None:
    folder = overlay.write(tmp_path / "overlay", IMAGE)
    written = json.loads((folder / "kustomization.yaml").read_text())
    assert (folder / written["resources"][0] / "training-job.yaml").exists()
    assert IMAGE in written["patches"][0]["patch"]
