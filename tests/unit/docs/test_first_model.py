"""The way from the installation to a first model, as docs/install.md shows it, names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.demo.flights import partition
from tests.demo.lake import Lake
from tests.tools.local_cluster import bringup, images

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "docs/install.md").read_text().split("## A first model")[1].split("\n## ")[0]
EXAMPLE = ROOT / "manifests/examples/flights"


def test_the_training_image_is_one_that_make_install_builds_and_the_example_runs() -> None:
    (name,) = re.findall(r'images.json"\)\)\["([^"]+)"\]', SECTION)
    assert name in images.table(ROOT)
    (image,) = re.findall(r"s\|image: (\S+)\|image: ", SECTION)
    assert yaml.safe_load((EXAMPLE / "training-job.yaml").read_text())["spec"]["image"] == image


def test_the_data_are_put_where_the_example_reads_them() -> None:
    assert callable(Lake.from_environment)
    assert callable(Lake.arrive)
    (source,) = yaml.safe_load((EXAMPLE / "training-job.yaml").read_text())["spec"]["data"]
    (folder,) = re.findall(r"(flights/[^/]+)/part-0.parquet.\n", SECTION.split("With your own")[0])
    assert source["uri"] == "s3://lake/flights/"
    assert folder == f"flights/{partition(1)}"


def test_the_secret_has_the_name_that_the_stores_ask_for_and_the_keys_that_make_env_exports() -> None:
    stores = yaml.safe_load_all((EXAMPLE / "stores.yaml").read_text())
    assert {one["spec"]["credentialsSecretName"] for one in stores} == {"store-credentials"}
    exported = set(re.findall(r'"(STEADFIT_\w+)": ', Path(bringup.__file__).read_text()))
    assert set(re.findall(r"\$(STEADFIT_\w+)", SECTION)) <= exported
