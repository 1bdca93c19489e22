"""Publishes Prometheus rules."""
