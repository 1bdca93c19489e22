"""The endpoint that `publish` posts a run's result to."""
