import json
import os
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.tools.local_cluster import images, install, overlay, registry
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import REPOSITORY, Settings

TABLE = images.table(REPOSITORY)


def dockerfile(image: images.Image) -> str:
    return (REPOSITORY / image.dockerfile).read_text()


def copied(image: images.Image) -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile(image), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_images_are_product_and_monitoring_and_the_examples_are_found_by_their_dockerfile(tmp_path: Path) -> None:
    for path in ("manifests/examples/flights/image", "tests/cluster/images/liar"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "Dockerfile").touch()
    assert list(images.table(tmp_path)) == ["operator", "trainer", "server", "monitoring", "flights-train", "test-liar"]


@pytest.mark.parametrize("name", TABLE)
def test_everything_a_dockerfile_copies_decides_its_tag_and_is_in_the_context(name: str) -> None:
    image = TABLE[name]
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied(image):
        assert any(Path(source).is_relative_to(part) for part in image.sources), source
        assert any(Path(source).is_relative_to(part) or fnmatch(source, part) for part in allowed), source


@pytest.mark.parametrize("name", ["operator", "trainer", "server"])
def test_an_image_is_built_in_stages_from_hashes_and_runs_as_nobody(name: str) -> None:
    text = dockerfile(TABLE[name])
    assert text.count("FROM ${BASE}") == 2
    assert "ARG BASE=docker.io/library/python:" in text
    assert "--require-hashes" in text
    assert "uv sync --frozen" in text
    assert "\nUSER 65532:65532\n" in text
    assert "PYTHONSAFEPATH=1" in text
    assert text.index("uv sync") < text.index(f"COPY {TABLE[name].sources[-1]}")
    assert "--mount" not in text  # Debian's engine has the legacy builder


def test_uv_is_the_same_in_images_and_on_the_host() -> None:
    from tests.tools.local_cluster.tools import UV_VERSION

    assert f"uv=={UV_VERSION} " in (REPOSITORY / "images/uv.txt").read_text()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("images/operator/Dockerfile", "operator/steadfit/a.py", "uv.lock", "pyproject.toml", "README.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


@pytest.mark.parametrize("path", ["images/operator/Dockerfile", "operator/steadfit/a.py", "uv.lock"])
def test_an_image_gets_another_tag_when_an_input_changes(root: Path, path: str) -> None:
    before = images.content_key(root, TABLE["operator"], "base:1")
    (root / path).write_text("changed")
    assert images.content_key(root, TABLE["operator"], "base:1") != before


def test_an_image_gets_another_tag_on_another_base_but_not_for_a_file_it_does_not_hold(root: Path) -> None:
    before = images.content_key(root, TABLE["operator"], "base:1")
    (root / "README.md").write_text("changed")
    assert images.content_key(root, TABLE["operator"], "base:1") == before
    assert images.content_key(root, TABLE["operator"], "base:2") != before


def test_a_reference_is_split_as_kustomize_wants_it() -> None:
    assert overlay.split("localhost:5001/a/b@sha256:00") == ("localhost:5001/a/b", "digest", "sha256:00")
    assert overlay.split("localhost:5001/a/b:1") == ("localhost:5001/a/b", "newTag", "1")


def test_an_overlay_names_its_base_by_a_relative_path_and_the_images_by_digest(tmp_path: Path) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    settings = Settings(**{**vars(settings), "root": tmp_path})
    directory = overlay.write(settings, "x", tmp_path / "manifests" / "dev", {"steadfit/operator": "r/o@sha256:1"})
    written = json.loads((directory / "kustomization.yaml").read_text())
    assert written["resources"] == ["../../../manifests/dev"]
    assert written["images"] == [{"name": "steadfit/operator", "newName": "r/o", "digest": "sha256:1"}]


def test_the_operator_is_told_the_images_of_the_pods_it_makes() -> None:
    patch = json.loads(str(install.variables_patch({"trainer": "t@1", "server": "s@1"})["patch"]))
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "STEADFIT_TRAINER_IMAGE": "t@1",
        "STEADFIT_SERVER_IMAGE": "s@1",
    }


def test_an_image_whose_content_was_pushed_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    monkeypatch.setattr(registry, "digest", lambda repository, tag: "sha256:1")
    monkeypatch.setattr(shutil, "which", lambda *_: pytest.fail("nothing has to run"))
    reference = images.build(settings, Engine(ours=True, env={}), TABLE["operator"], "base:1")
    assert reference == "localhost:5001/steadfit/operator@sha256:1"


def test_an_image_that_was_built_anew_replaces_its_older_tags_in_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\necho "$*" >> {asked}\ncase "$*" in\n'
        '"image ls"*) echo localhost:5001/steadfit/operator:old;;\n'
        '*RepoDigests*) echo \'["elsewhere@sha256:2", "localhost:5001/steadfit/operator@sha256:1"]\';;\nesac\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(registry, "digest", lambda repository, tag: None)
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    reference = images.build(settings, Engine(ours=False, env={}), TABLE["operator"], "base:1")
    commands = asked.read_text().splitlines()
    assert reference == "localhost:5001/steadfit/operator@sha256:1"
    assert [command.split()[0] for command in commands[:2]] == ["build", "push"]
    assert "--build-arg BASE=base:1" in commands[0]
    assert commands[-1] == "image rm localhost:5001/steadfit/operator:old"
