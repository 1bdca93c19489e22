"""Prometheus rules: recorded series and alerts of every ModelDeployment."""
