import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.tools.local_cluster import binaries, scratch, tools
from tests.tools.local_cluster.settings import REPOSITORY, Settings
from tests.tools.local_cluster.shell import BringUpError

TOOLS = [
    binaries.KIND,
    binaries.KUBECTL,
    binaries.KUBERNETES,
    binaries.ETCD,
    binaries.COREDNS,
    binaries.PAUSE,
    binaries.REGISTRY,
    binaries.VERSITYGW,
    binaries.TRAEFIK,
]


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go1.9", (1, 9)), ("bash: go: not found", (0, 0))],
)
def test_the_version_of_go_is_read_from_what_it_prints(text: str, version: tuple[int, int]) -> None:
    assert tools.go_version(text) == version


def test_the_toolchain_from_pypi_is_new_enough_for_every_module() -> None:
    assert tools.go_version(f"go{tools.GO_VERSION}") >= tools.GO_MINIMUM
    for tool in TOOLS:
        wanted = next(
            line.split()[1] for line in (module(tool) / "go.mod").read_text().splitlines() if line.startswith("go ")
        )
        assert tuple(map(int, wanted.split(".")[:2])) <= tools.GO_MINIMUM


def module(tool: binaries.GoTool) -> Path:
    return binaries.module_directory(Settings.from_environment({"HOME": "/h"}), tool)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_module_pins_its_dependencies_by_hash(tool: binaries.GoTool) -> None:
    requires = "require" in (module(tool) / "go.mod").read_text()
    assert (module(tool) / "go.sum").exists() == requires


def test_the_key_of_a_binary_follows_pins_flags_and_compiler(tmp_path: Path) -> None:
    settings = Settings(**{**vars(Settings.from_environment({"HOME": "/h"})), "root": tmp_path})
    directory = binaries.module_directory(settings, binaries.KUBECTL)
    directory.mkdir(parents=True)
    (directory / "go.mod").write_text("1")
    keys = {binaries.tool_key(settings, binaries.KUBECTL, "go1.26.0")}
    keys.add(binaries.tool_key(settings, binaries.KUBECTL, "go1.27.0"))
    keys.add(binaries.tool_key(settings, binaries.KUBERNETES, "go1.26.0"))
    (directory / "go.mod").write_text("2")
    keys.add(binaries.tool_key(settings, binaries.KUBECTL, "go1.26.0"))
    assert len(keys) == 4


def test_the_archive_of_a_binary_holds_it_executable_and_is_the_same_each_time() -> None:
    archive = scratch.archive("tool", b"\x7fELF")
    assert scratch.archive("tool", b"\x7fELF") == archive
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mode, entry.mtime) == ("tool", 0o755, 0)


@pytest.mark.parametrize("script", ["build.sh", "entrypoint", "shim"])
def test_the_scripts_of_the_node_image_can_be_read_by_their_shell(script: str) -> None:
    path = REPOSITORY / "images" / "kind-node" / script
    shell = path.read_text().splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", str(path)], check=True)


def test_a_tool_that_does_not_bring_its_program_is_no_entry_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    monkeypatch.setattr(tools, "succeeds", lambda _: True)
    monkeypatch.setattr(tools, "run", lambda _: "")
    with pytest.raises(BringUpError, match=r"tool 1\.0 from PyPI brings no bin/tool"):
        tools.from_pypi(settings, "tool", "1.0", "bin/tool")

    def installs(command: list[str]) -> str:
        for unfinished in (settings.cache / "tools").glob(".*"):
            (unfinished / "bin").mkdir(exist_ok=True)
            (unfinished / "bin" / "tool").touch()
        return ""

    monkeypatch.setattr(tools, "run", installs)
    assert tools.from_pypi(settings, "tool", "1.0", "bin/tool").exists()
