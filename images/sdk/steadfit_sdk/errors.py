"""The errors of the SDK."""


class NotConvertibleError(Exception):
    """The estimator can't be expressed in a format; the message is a sentence that names the reason."""
