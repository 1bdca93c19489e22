"""The metrics that versions are compared by: a function for the value, and the interval of a difference."""
