"""Prediction tokens that the server did not sign."""


def tampered(token: str) -> str:
    """Return the token with one letter of its signature changed."""
    # Not the last letter, which may have bits that say nothing.
    return f"{token[:-5]}{'B' if token[-5] == 'A' else 'A'}{token[-4:]}"
