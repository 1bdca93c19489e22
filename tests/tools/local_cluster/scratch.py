"""Images that hold one static binary and nothing else."""

import io
import tarfile
from pathlib import Path

from tests.tools.local_cluster.cache import key
from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.shell import run, step


def archive(name: str, binary: bytes) -> bytes:
    """A tar archive with the binary at ``/<name>``; the same bytes for the same binary."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(binary), 0o755
        tar.addfile(entry, io.BytesIO(binary))
    return buffer.getvalue()


def import_binary(engine: Engine, name: str, binary: Path) -> str:
    """Name of the image ``steadfit/<name>:<key>`` with the binary as its entry point, made if absent."""
    image = f"steadfit/{name}:{key(binary.parent.name)}"
    if not engine.has("image", "inspect", image):
        with step(f"importing the {name} image"):
            work = binary.parent / f".{name}.tar"
            work.write_bytes(archive(name, binary.read_bytes()))
            run(["docker", "import", "--change", f'ENTRYPOINT ["/{name}"]', str(work), image], env=engine.env)
            work.unlink()
    return image
