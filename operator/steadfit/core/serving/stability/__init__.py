"""Whether the servers of a revision stay up, beside those of another one: evidence that needs no metrics."""
