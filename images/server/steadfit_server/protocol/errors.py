"""Answers that are not 200, raised where the reason is known and turned into JSON in one place."""


class RequestError(Exception):
    """A request that can't be answered as asked.

    Parameters
    ----------
    status : int
        HTTP status code of the answer.
    sentence : str
        What is wrong, for the caller; names the field and says what would be right.
    headers : dict[bytes, bytes], optional
        Further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[bytes, bytes] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}


class InvalidInputError(RequestError):
    """A body that does not fit the protocol or the model's signature: 400."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, sentence)


def quoted(name: object) -> str:
    """Return a caller's own word for use in a sentence: quoted, and cut so that it can't fill an answer or a log."""
    text = str(name)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


class ClientGone(Exception):  # noqa: N818 — an event, not an error
    """The client closed the connection before its request was complete: there is nobody to answer."""
