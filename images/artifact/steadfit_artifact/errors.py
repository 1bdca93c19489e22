"""What can be wrong with an artifact or with rows for it; each message is a sentence for the user."""


class ArtifactError(Exception):
    """The artifact can't be used, now or later."""


class DigestMismatchError(ArtifactError):
    """The bytes are not those that the digest names."""


class SignatureError(ArtifactError):
    """`signature.json` can't be read, or the model does not fit it."""


class ModelError(ArtifactError):
    """The model is refused, can't be loaded, or answers in a shape that no one can read."""


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
