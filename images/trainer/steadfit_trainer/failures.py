"""The failures a step reports: a class that the operator acts on (by exit code) and a sentence for people."""

from typing import ClassVar


class Failure(Exception):  # noqa: N818 — the word of the run's status
    """A step that can't be done; the message is a sentence."""

    failure_class: ClassVar[str]
    exit_code: ClassVar[int]


class DataFailure(Failure):
    """The data is absent, unreadable, not what its digest says, or too little to learn and judge from."""

    failure_class = "Data"
    exit_code = 10


class StoreFailure(Failure):
    """The store, or the operator that takes the record, could not be reached or refused; it may heal."""

    failure_class = "Store"
    exit_code = 11


class UserFailure(Failure):
    """What the training container wrote is absent, unreadable, or does not predict what it should."""

    failure_class = "UserError"
    exit_code = 12
