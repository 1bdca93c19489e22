"""Errors that become HTTP answers."""


class RequestError(Exception):
    """The request gets an answer other than 200.

    Parameters
    ----------
    status : int
        HTTP status code of the answer.
    sentence : str
        The problem, for the caller; names the field and what is valid.
    headers : dict[bytes, bytes], optional
        Further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[bytes, bytes] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}


class InvalidInputError(RequestError):
    """The body does not fit the protocol or the model's signature: 400."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, sentence)


def quoted(name: object) -> str:
    """Quote and truncate a caller's text for a message, so that it can't fill an answer or a log."""
    text = str(name)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


class ClientGone(Exception):  # noqa: N818 — an event, not an error
    """The client closed the connection before its request was complete, so there is no answer."""
