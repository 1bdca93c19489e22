"""The metrics that versions are compared by: one function for the value, one for its value in many resamples."""
