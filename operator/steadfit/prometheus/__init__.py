"""Prometheus: query MetricSources, check their answers, and keep the last value of every monitor and comparison."""
