"""Steadfit's images: built by ``docker build`` when their inputs changed, pushed, named by digest."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.tools.local_cluster import debian, pull, registry
from tests.tools.local_cluster.cache import key, tree_key
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.settings import Settings
from tests.tools.local_cluster.shell import BringUpError, step

OFFICIAL_BASE = "docker.io/library/python:3.11-slim-bookworm"
BASE_PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LOCK = ("pyproject.toml", "uv.lock", "images/uv.txt")


@dataclass(frozen=True)
class Image:
    """One image: its Dockerfile, the inputs whose content decides its tag, the images it is built from.

    ``sources`` are paths below the repository; ``parents`` maps a build argument to an image's name in
    the table, as the argument BASE always is the Python base.
    """

    name: str
    dockerfile: str
    sources: tuple[str, ...]


PRODUCT = (
    Image("operator", "images/operator/Dockerfile", (*LOCK, "operator/steadfit")),
    Image(
        "trainer",
        "images/trainer/Dockerfile",
        (*LOCK, "images/artifact/steadfit_artifact", "images/trainer/steadfit_trainer"),
    ),
    Image(
        "server",
        "images/server/Dockerfile",
        (*LOCK, "images/artifact/steadfit_artifact", "images/server/steadfit_server"),
    ),
)

# What the local cluster runs beside the product.
DEVELOPMENT = (Image("monitoring", "images/monitoring/Dockerfile", ("images/monitoring/sidecar.py",)),)


def examples(root: Path) -> tuple[Image, ...]:
    """Training images of the examples and of the cluster tests: each directory with a Dockerfile is one.

    ``manifests/examples/<name>/image`` gives ``<name>-train``, ``tests/cluster/images/<name>`` gives
    ``test-<name>``. They may use the SDK or the server, so their code and the lock file are inputs too.
    """
    found = []
    for dockerfile in sorted(root.glob("manifests/examples/*/image/Dockerfile")):
        found.append((f"{dockerfile.parts[-3]}-train", dockerfile))
    for dockerfile in sorted(root.glob("tests/cluster/images/*/Dockerfile")):
        found.append((f"test-{dockerfile.parts[-2]}", dockerfile))
    shared = (*LOCK, "images/artifact/steadfit_artifact", "images/sdk/steadfit_sdk")
    server = ("images/server/steadfit_server",)
    return tuple(
        Image(
            name,
            str(path.relative_to(root)),
            (*shared, *(server if name.startswith("test-") else ()), str(path.parent.relative_to(root))),
        )
        for name, path in found
    )


def table(root: Path) -> dict[str, Image]:
    """Every image by name."""
    return {image.name: image for image in (*PRODUCT, *DEVELOPMENT, *examples(root))}


def content_key(root: Path, image: Image, base: str) -> str:
    """The tag: hash of the Dockerfile, the inputs that exist and the base."""
    inputs = [root / source for source in (image.dockerfile, *image.sources, ".dockerignore")]
    return tree_key(root, [path for path in inputs if path.exists()], base)


def base(settings: Settings, engine: Engine) -> str:
    """The Python base: the official slim image where it can be pulled, else one from Debian packages.

    What a pull gave is remembered for this cluster only: the next bring-up tries again.
    """
    remembered = settings.state / "base.json"
    if remembered.exists():
        name = str(json.loads(remembered.read_text())["base"])
        if engine.has("image", "inspect", name):
            return name
    name = OFFICIAL_BASE if pull.pullable(engine, OFFICIAL_BASE) else base_built_here(settings, engine)
    settings.state.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps({"base": name}))
    return name


def base_built_here(settings: Settings, engine: Engine) -> str:
    """Name of the base from Debian packages, with this machine's CA certificates so that pip can work in it."""
    rootfs = debian.root_file_system(settings, "base", BASE_PACKAGES)
    recipe = settings.root / "images" / "base" / "Dockerfile"
    certificates = CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else b""
    name = f"steadfit/base:{key(rootfs.parent.name, recipe.read_bytes(), certificates)}"
    if not engine.has("image", "inspect", name):
        with step("building the Python base image"):
            engine.docker("import", str(rootfs), f"{name}-rootfs")
            context = settings.state / "base"
            context.mkdir(parents=True, exist_ok=True)
            (context / "ca-certificates.crt").write_bytes(certificates)
            engine.docker("build", "-f", str(recipe), "--build-arg", f"ROOTFS={name}-rootfs", "-t", name, str(context))
            engine.docker("image", "rm", f"{name}-rootfs")
    return name


def repository(settings: Settings, name: str) -> str:
    """Where an image is pushed, without a tag."""
    return f"{settings.registry}/{name}" if settings.existing else f"{registry.ADDRESS}/steadfit/{name}"


def push(settings: Settings, engine: Engine, name: str, tag: str) -> str:
    """Push ``<repository>:<tag>`` and return the reference by digest."""
    target = f"{repository(settings, name)}:{tag}"
    with step(f"pushing {target}"):
        engine.docker("push", target)
    digests = json.loads(engine.docker("image", "inspect", "--format", "{{json .RepoDigests}}", target))
    for reference in digests:
        if reference.startswith(f"{repository(settings, name)}@"):
            return str(reference)
    raise BringUpError(f"{target} was pushed, but the engine does not know its digest.")


def pushed(settings: Settings, name: str, tag: str) -> str | None:
    """The reference by digest if our registry has the tag already; another registry is always pushed to."""
    if settings.existing:
        return None
    digest = registry.digest(f"steadfit/{name}", tag)
    return f"{repository(settings, name)}@{digest}" if digest else None


def push_as(settings: Settings, engine: Engine, local: str, name: str) -> str:
    """Push a local image ``…:<key>`` under our repository; the reference by digest."""
    tag = local.rpartition(":")[2]
    reference = pushed(settings, name, tag)
    if reference is None:
        engine.docker("tag", local, f"{repository(settings, name)}:{tag}")
        reference = push(settings, engine, name, tag)
    return reference


def build(settings: Settings, engine: Engine, image: Image, base_name: str) -> str:
    """Build and push one image unless its content was pushed before; the reference by digest."""
    tag = content_key(settings.root, image, base_name)
    reference = pushed(settings, image.name, tag)
    if reference is not None:
        return reference
    target = f"{repository(settings, image.name)}:{tag}"
    # pip has to reach an index: the bridge of our own daemon leads nowhere on a machine without NAT.
    network = ["--network", "host"] if engine.ours else []
    with step(f"docker build {image.dockerfile}"):
        engine.docker(
            "build", *network, "-f", str(settings.root / image.dockerfile), "--build-arg", f"BASE={base_name}",
            "-t", target, str(settings.root),
        )  # fmt: skip
    reference = push(settings, engine, image.name, tag)
    _forget_older(settings, engine, image.name, tag)
    return reference


def _forget_older(settings: Settings, engine: Engine, name: str, tag: str) -> None:
    """Remove an image's other tags from the engine: whoever runs them pulls from the registry."""
    there = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository(settings, name))
    for older in set(there.split()) - {f"{repository(settings, name)}:{tag}"}:
        engine.has("image", "rm", older)  # one that a container of the user's runs stays


def build_all(settings: Settings, engine: Engine, wanted: Iterable[Image] | None = None) -> dict[str, str]:
    """Build and push images, every one by default; references by digest under their names.

    ``build/images.json`` holds the references of all that were built so far.
    """
    base_name = base(settings, engine)
    output = settings.root / "build" / "images.json"
    output.parent.mkdir(exist_ok=True)
    references: dict[str, str] = json.loads(output.read_text()) if output.exists() else {}
    for image in table(settings.root).values() if wanted is None else wanted:
        references[image.name] = build(settings, engine, image, base_name)
        output.write_text(json.dumps(references, indent=2) + "\n")
    return references
