"""The registry of model formats. A new format is a module here and a line in `FORMATS`."""

from pathlib import Path

from steadfit_artifact.errors import ModelError
from steadfit_artifact.formats.format import Format
from steadfit_artifact.formats.onnx_format import OnnxFormat
from steadfit_artifact.formats.skops_format import SkopsFormat

# In order of preference: the first one that an artifact holds is served.
FORMATS: tuple[Format, ...] = (OnnxFormat(), SkopsFormat())


def formats() -> tuple[Format, ...]:
    """Return all formats, the preferred one first."""
    return FORMATS


def named(name: str) -> Format:
    """Return the format of a name.

    Raises
    ------
    ModelError
        There is no such format.
    """
    for each in formats():
        if each.name == name:
            return each
    known = ", ".join(each.name for each in formats())
    raise ModelError(f"There is no model format '{name}'; this release has {known}.")


def present(directory: Path) -> list[Format]:
    """Return the formats whose file is in a directory, the preferred one first."""
    return [each for each in formats() if (directory / each.file_name).is_file()]


def file_names() -> str:
    """Return the file names of all formats as a part of a sentence: `model.onnx or model.skops`."""
    *names, last = (each.file_name for each in formats())
    return f"{', '.join(names)} or {last}"
