"""Publish: evaluates the trained model, then uploads the artifact, writes the record and reports it, in this order.

Each step is safe to repeat, and each becomes visible only after the step before is complete: the manifest of an
artifact is written last, a record names an artifact that exists, and the operator gets a record that can be read.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rfc8785
from steadfit_artifact import servings
from steadfit_artifact.digest import Manifest, manifest_of
from steadfit_artifact.errors import ArtifactError
from steadfit_artifact.formats import registry
from steadfit_artifact.model import CLASSES_NAME, Label, Model, Prediction, load_model
from steadfit_artifact.parity import SAMPLE_ROWS, compare
from steadfit_artifact.quarantine import Entry, NoteError, known
from steadfit_artifact.reference import REFERENCE_NAME
from steadfit_artifact.store import ObjectExistsError, Store, StoreConfig, StoreError, under
from steadfit_artifact.transfer import artifact_uri, upload

from steadfit_trainer.config import Config
from steadfit_trainer.data import training_output
from steadfit_trainer.deadline import Deadline
from steadfit_trainer.failures import StoreFailure, UserFailure
from steadfit_trainer.paths import Paths
from steadfit_trainer.report import record
from steadfit_trainer.report.operator_client import OperatorClient, OperatorUnavailableError, wait_for_version
from steadfit_trainer.scoring import champion, example_row, reference_bins, score
from steadfit_trainer.scoring.permutation_importance import importances

LOG = logging.getLogger(__name__)


def publish(
    config: Config,
    paths: Paths,
    ca_file: Path | None,
    deadline: Deadline,
    connect: Callable[[StoreConfig], Store] = Store.connect,
) -> str:
    """Publish the result of a run; return the name of its version.

    Raises
    ------
    UserFailure
        The output of the training container fails a check, or the operator refuses the record.
    StoreFailure
        Store or operator could not be reached until the deadline, or the quarantine note can't be read.
    """
    folder = under(config.store.uri_prefix, config.run.namespace, config.run.training_job)
    manifest, result = assess(config, paths, folder, connect, deadline)
    operator = OperatorClient(config.record_url, paths.token, ca_file)
    uri, record_uri = result["artifact"]["uri"], under(folder, "records", f"{config.run.uid}.json")
    # A new connection for each attempt: credentials and CA bundle may have been corrected meanwhile.
    deadline.retry(lambda: upload(connect(config.store), uri, paths.staging, manifest), StoreError)
    # The same files may have been rolled back before, by a cluster that has no record of it any more.
    result = record.quarantined(result, _past(config, uri, connect, deadline))
    past = deadline.retry(lambda: servings.known(connect(config.store), uri), StoreError)
    result = record.served(result, past)
    deadline.retry(lambda: write_record(connect(config.store), record_uri, result), StoreError)
    body = record.dump(record.posted(result))
    return deadline.retry(lambda: wait_for_version(operator, body, deadline.pause), OperatorUnavailableError)


def assess(
    config: Config, paths: Paths, folder: str, connect: Callable[[StoreConfig], Store], deadline: Deadline
) -> tuple[Manifest, dict[str, Any]]:
    """Copy and evaluate the training container's output; return the artifact's manifest and the record.

    The comparison with the champion is last, and a problem with the champion is no failure.

    Raises
    ------
    UserFailure
        The output is absent or unreadable, or the model does not predict.
    """
    resolved = json.loads(paths.resolved.read_text())
    training_output.stage(paths.output, paths.staging)
    try:
        model = load_model(paths.staging)
    except ArtifactError as error:
        raise UserFailure(str(error)) from error
    columns, truth = score.load_holdout(paths.holdout, model.features, config.evaluation.target)
    prediction = score.predict(model, columns, len(truth))
    classes = _classes(model, prediction, resolved["labels"])
    if classes is not None and model.classes is None:
        # The server has no training data to derive them from.
        (paths.staging / CLASSES_NAME).write_bytes(rfc8785.dumps(list(classes)))
    answers = score.judged(config.evaluation, prediction, truth, classes)
    values = score.measure(config.evaluation, answers)
    parity = _parity(model, paths.staging, {name: column[:SAMPLE_ROWS] for name, column in columns.items()})
    shares = importances(model, columns, answers, classes, config.seed)
    described = reference_bins.describe(model, paths, prediction, answers, classes, shares)
    if described is not None:
        (paths.staging / REFERENCE_NAME).write_bytes(described.dump())
    example_row.write(model, paths, columns)
    manifest = manifest_of(paths.staging)
    LOG.info("%s on %d rows: %s", manifest.digest, len(truth), values)
    compared = champion.compare(config, paths, answers, connect, deadline)
    return manifest, record.complete(
        config,
        artifact_uri(folder, manifest.digest),
        manifest,
        resolved,
        values,
        [feature.document() for feature in model.features],
        training_output.document(paths.output, training_output.ENVIRONMENT_NAME),
        training_output.document(paths.output, training_output.METRICS_NAME),
        parity,
        compared,
    )


def write_record(store: Store, uri: str, result: dict[str, Any]) -> None:
    """Write the complete record by a conditional request; replace the record of an earlier attempt.

    Raises
    ------
    StoreFailure
        A later attempt of the run has written its record.
    StoreError
        The store failed.
    """
    content = record.dump(result)
    try:
        store.put(uri, content, create=True)
    except ObjectExistsError:
        present = store.get(uri)
        if present == content:
            return
        if _attempt(present) > result["run"]["attempt"]:
            raise StoreFailure("A later attempt of this run has written its record; this one is not needed.") from None
        store.put(uri, content)


def _past(config: Config, uri: str, connect: Callable[[StoreConfig], Store], deadline: Deadline) -> dict[str, Entry]:
    """Return which ModelDeployments rolled this artifact back.

    Raises
    ------
    StoreFailure
        The quarantine note can't be read; a person has to repair it.
    """
    try:
        return deadline.retry(lambda: known(connect(config.store), uri), StoreError)
    except NoteError as error:
        raise StoreFailure(str(error)) from error


def _classes(model: Model, prediction: Prediction, labels: list[Label] | None) -> tuple[Label, ...] | None:
    """Return the classes in the order of the probabilities, or None for a regression.

    Raises
    ------
    UserFailure
        The model has no classes, and the data has another number of labels.
    """
    if model.classes is not None:
        return model.classes
    if prediction.probabilities is None:
        regression = prediction.labels.dtype.kind == "f"
        return None if regression else tuple(labels or sorted(set(prediction.labels.tolist()), key=str))
    width = prediction.probabilities.shape[1]
    if labels is None or len(labels) != width:
        count = f"{len(labels)} labels" if labels is not None else "values that are no labels"
        raise UserFailure(
            f"The model gives {width} probabilities, but the target has {count}; write {CLASSES_NAME}, the list of "
            "classes in the order of the probabilities."
        )
    return tuple(labels)


def _parity(model: Model, staging: Path, sample: dict[str, Any]) -> dict[str, Any]:
    """Compare the model with its other formats; return the largest disagreement, or nothing if there is no other.

    Raises
    ------
    UserFailure
        Two formats are not the same model.
    """
    rows = len(next(iter(sample.values())))
    served, *others = registry.present(staging)
    found = []
    for other in others:
        try:
            second = load_model(staging, other.name)
        except ArtifactError as error:
            raise UserFailure(str(error)) from error
        parity = compare(score.predict(model, sample, rows), score.predict(second, sample, rows))
        if not parity.agrees:
            raise UserFailure(
                f"{served.file_name} and {other.file_name} are not the same model: they differ in "
                f"{1 - parity.agreeing:.1%} of {rows} rows, by up to {parity.max_difference:.3g}."
            )
        found.append(parity)
    return min(found, key=lambda parity: parity.agreeing).document() if found else {}


def _attempt(raw: bytes) -> int:
    """Return the attempt that wrote a record, 0 if it can't be read."""
    try:
        return int(json.loads(raw)["run"]["attempt"])
    except (ValueError, KeyError, TypeError):
        return 0
