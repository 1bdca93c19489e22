"""The generated CRDs say what users, kubectl and GitOps tools rely on."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from steadfit.api import crd as generator
from steadfit.api.artifactstore import ArtifactStoreSpec
from steadfit.api.base import Definition
from steadfit.api.kinds import DEFINITIONS
from steadfit.api.modeldeployment import ModelDeploymentSpec
from steadfit.api.trainingjob import TrainingJobSpec

Schema = dict[str, Any]
KINDS = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
WRITTEN_BY_USERS = {"TrainingJob", "ModelDeployment", "ModelAction", "ArtifactStore"}

DATA = {"name": "flights", "uri": "s3://lake/flights/", "format": "Parquet"}
EVALUATION = {
    "target": "late",
    "holdout": {"by": "Hash", "column": "id"},
    "metrics": [{"name": "roc_auc", "goal": "Maximize"}],
}


def version(definition: Definition) -> Schema:
    found: Schema = generator.crd(definition)["spec"]["versions"][0]
    return found


def root(definition: Definition) -> Schema:
    schema: Schema = version(definition)["schema"]["openAPIV3Schema"]
    return schema


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every field below a schema, also of list entries and map values, with its path."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield f"{path}{suffix}", schema[key]
            yield from fields(schema[key], f"{path}{suffix}")


def defaulted(value: Any, schema: Schema) -> Any:
    """What the API server makes of a value: absent fields get their defaults, then those theirs."""
    if isinstance(value, dict) and "properties" in schema:
        filled = dict(value)
        for name, field in schema["properties"].items():
            if name not in filled and "default" in field:
                filled[name] = copy.deepcopy(field["default"])
        return {name: defaulted(item, schema["properties"].get(name, {})) for name, item in filled.items()}
    if isinstance(value, list):
        return [defaulted(item, schema["items"]) for item in value]
    return value


@KINDS
def test_every_field_is_described(definition: Definition) -> None:
    schema = root(definition)
    assert schema["description"]
    undescribed = [
        path
        for part in ("spec", "status")
        for path, field in [(part, schema["properties"][part]), *fields(schema["properties"][part], part)]
        if not path.endswith(("[]", "{}")) and not field.get("description")
    ]
    assert undescribed == []


@KINDS
def test_everything_a_user_writes_is_bounded_so_that_rules_have_a_cost(definition: Definition) -> None:
    if definition.kind not in WRITTEN_BY_USERS:
        return
    unbounded = []
    for path, field in fields(root(definition)["properties"]["spec"], "spec"):
        kind = field.get("type")
        text = kind == "string" and not {"enum", "format"} & field.keys()
        if (text or field.get("x-kubernetes-int-or-string")) and "maxLength" not in field:
            unbounded.append(path)
        if (kind == "array" and "maxItems" not in field) or (
            "additionalProperties" in field and "maxProperties" not in field
        ):
            unbounded.append(path)
    assert unbounded == []


@KINDS
def test_an_object_no_operator_has_seen_is_not_taken_for_current(definition: Definition) -> None:
    assert root(definition)["properties"]["status"]["default"] == {"observedGeneration": -1}


@KINDS
def test_a_spec_cannot_be_taken_away(definition: Definition) -> None:
    assert root(definition)["required"] == ["spec"]


@pytest.mark.parametrize("kind", ["TrainingRun", "ModelVersion", "ModelAction"])
def test_what_has_happened_cannot_be_edited(kind: str) -> None:
    definition = next(definition for definition in DEFINITIONS if definition.kind == kind)
    rules = root(definition)["properties"]["spec"]["x-kubernetes-validations"]
    assert "self == oldSelf" in [rule["rule"] for rule in rules]


@KINDS
def test_every_rule_has_a_sentence(definition: Definition) -> None:
    schema = root(definition)
    for path, field in [("", schema), *fields(schema, "")]:
        for rule in field.get("x-kubernetes-validations", ()):
            assert len(rule["message"].split()) > 3, path


@KINDS
def test_keys_of_list_maps_are_always_there(definition: Definition) -> None:
    for path, field in fields(root(definition), ""):
        items = field.get("items", {})
        for key in field.get("x-kubernetes-list-map-keys", ()):
            assert key in items["required"], path


@KINDS
def test_every_column_shows_a_field_that_exists(definition: Definition) -> None:
    for column in version(definition)["additionalPrinterColumns"]:
        path = column["jsonPath"].removeprefix(".")
        if path == "metadata.creationTimestamp":
            continue
        schema = root(definition)
        for part in re.sub(r'\[\?\(@\.[a-z]+=="[A-Za-z]+"\)\]', "[]", path).replace("[0]", "[]").split("."):
            schema = schema["properties"][part.removesuffix("[]")]
            schema = schema["items"] if part.endswith("[]") else schema


@KINDS
def test_the_name_of_every_column_is_one_word(definition: Definition) -> None:
    for column in version(definition)["additionalPrinterColumns"]:
        assert re.fullmatch(r"[A-Z][a-z]+|[A-Z]+", column["name"])


@KINDS
def test_a_crd_is_far_from_the_size_that_breaks_client_side_apply(definition: Definition) -> None:
    # 256 KiB is the limit of the annotation that holds the last applied object, without the indents of YAML.
    assert len(generator.render(generator.crd(definition))) < 128 * 1024


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        (ModelDeploymentSpec, {}),
        (ModelDeploymentSpec, {"server": {"resources": {"limits": {"memory": "512Mi"}}}}),
        (TrainingJobSpec, {"image": "train", "data": [DATA], "evaluation": EVALUATION}),
        (ArtifactStoreSpec, {"uriPrefix": "s3://lake", "credentialsSecretName": "keys"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_the_published_defaults_are_those_the_operator_reads(spec: Any, written: dict[str, Any]) -> None:
    definition = next(d for d in DEFINITIONS if d.model.model_fields["spec"].annotation is spec)
    schema = root(definition)["properties"]["spec"]
    assert defaulted(written, schema) == spec.model_validate(written).dump()


def test_the_scale_subresource_reads_fields_that_are_there_for_an_empty_spec() -> None:
    definition = next(definition for definition in DEFINITIONS if definition.scale)
    scale = version(definition)["subresources"]["scale"]
    filled = defaulted({"spec": {}}, root(definition))
    for path in scale.values():
        value: Any = filled
        for part in path.removeprefix(".").split("."):
            value = value[part]


def test_limits_alone_do_not_meet_a_default_request() -> None:
    definition = next(definition for definition in DEFINITIONS if definition.kind == "TrainingJob")
    schema = root(definition)["properties"]["spec"]["properties"]["resources"]
    assert defaulted({"limits": {"memory": "512Mi"}}, schema) == {"limits": {"memory": "512Mi"}, "requests": {}}
    assert defaulted({}, {"properties": {"r": schema}})["r"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "1Gi"},
    }


def test_the_checked_in_files_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main(["--check"]) == 0, capsys.readouterr().out


def test_check_names_a_stale_file_and_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    assert generator.main([]) == 0
    stale = tmp_path / "crds" / "steadfit.dev_trainingjobs.yaml"
    stale.write_text("something else")
    capsys.readouterr()
    assert generator.main(["--check"]) == 1
    assert capsys.readouterr().out == "crds/steadfit.dev_trainingjobs.yaml is out of date; run `make crds`\n"
    assert stale.read_text() == "something else"


def test_no_other_crd_lies_beside_the_generated_ones() -> None:
    present = {path.name for path in (generator.ROOT / "crds").glob("*.yaml")}
    assert present == {path.name for path in generator.files() if path.parent.name == "crds"}


def shown(definition: Definition) -> dict[str, str]:
    """Return the columns that `kubectl get` shows without `-o wide`, with their JSONPaths."""
    columns = version(definition)["additionalPrinterColumns"]
    return {one["name"]: one["jsonPath"] for one in columns if not one.get("priority")}


def test_every_kind_has_a_short_name_of_its_own() -> None:
    names = [name for definition in DEFINITIONS for name in definition.short_names]
    assert names == ["tj", "tr", "mv", "mdep", "ma", "astore", "msrc"]


@KINDS
def test_kubectl_get_shows_the_reason_of_every_kind_without_wide(definition: Definition) -> None:
    columns = shown(definition)
    assert any(".conditions[" in path or name == "Message" for name, path in columns.items())


def test_kubectl_get_shows_why_nothing_newer_serves_without_wide() -> None:
    (deployment,) = (one for one in DEFINITIONS if one.kind == "ModelDeployment")
    assert shown(deployment)["Rollout"] == '.status.conditions[?(@.type=="Progressing")].reason'
    assert shown(deployment)["Pinned"] == '.status.conditions[?(@.type=="Overridden")].status'
    assert shown(deployment)["Firing"] == '.status.monitors[?(@.phase=="Firing")].name'
    assert shown(deployment)["Recovery"] == '.status.conditions[?(@.type=="RecoveryStalled")].reason'
    assert shown(deployment)["Frozen"] == '.status.conditions[?(@.type=="RollbacksFrozen")].status'


def test_a_quality_monitor_with_two_levels_is_refused_by_the_names_of_its_fields() -> None:
    (deployment,) = (one for one in DEFINITIONS if one.kind == "ModelDeployment")
    spec = version(deployment)["schema"]["openAPIV3Schema"]["properties"]["spec"]
    quality = spec["properties"]["monitors"]["items"]["properties"]["quality"]
    sentence = "a quality monitor has one of min, max and within"
    assert ("!(has(self.min) && has(self.max))", sentence) in [
        (rule["rule"], rule["message"]) for rule in quality["x-kubernetes-validations"]
    ]
    (either,) = quality["allOf"]
    barred = [sorted(branch["properties"]) for branch in either["anyOf"]]
    assert barred == [["within"], ["max", "min"]]
    assert all(
        field == {"enum": [f"absent: {sentence}"]} for one in either["anyOf"] for field in one["properties"].values()
    )
