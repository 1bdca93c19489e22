"""How an endpoint of the operator refuses a request."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """The request is refused, with an HTTP status and a sentence for whoever reads the pod's log."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
