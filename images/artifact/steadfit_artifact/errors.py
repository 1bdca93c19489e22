"""Errors of artifacts and of rows for them; each message is a sentence for the user."""

from pydantic import ValidationError


class ArtifactError(Exception):
    """The artifact can't be used; trying again does not help."""


class DigestMismatchError(ArtifactError):
    """The bytes do not have the expected digest."""


class SignatureError(ArtifactError):
    """`signature.json` can't be read, or the model does not fit it."""


class ModelError(ArtifactError):
    """The model is refused, can't be loaded, or returns an unknown shape."""


class ColumnError(ValueError):
    """A column of the caller's rows does not fit the signature.

    Parameters
    ----------
    field : str
        Name of the feature.
    problem : str
        The rest of a sentence that begins with the field.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"'{field}' {problem}")
        self.field = field
        self.problem = problem


def first_problem(error: ValidationError) -> str:
    """Return the first problem of a document that can't be read: where it is, and what; no value of the document."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "its form"
    return f"{where}: {first['msg']}"
