"""The failures of a step: each has a failure class and an exit code for the operator, and a message for people."""

from typing import ClassVar


class Failure(Exception):  # noqa: N818 — the word of the run's status
    """The step failed; the message is a sentence."""

    failure_class: ClassVar[str]
    exit_code: ClassVar[int]


class DataFailure(Failure):
    """The data is absent, unreadable, does not have its digest, or has too few rows to train and evaluate."""

    failure_class = "Data"
    exit_code = 10


class StoreFailure(Failure):
    """The store or the operator did not answer or refused the request; a retry may help."""

    failure_class = "Store"
    exit_code = 11


class UserFailure(Failure):
    """The output of the training container is absent or unreadable, or the model does not predict the target."""

    failure_class = "UserError"
    exit_code = 12


class InputsKnown(Failure):
    """A version was trained from the same recipe and data; the message is its name. Nothing is trained."""

    failure_class = "Known"
    exit_code = 13
