"""One plan a kind: a short composition of policies."""
