"""Counts what is asked and answered, for Prometheus."""
