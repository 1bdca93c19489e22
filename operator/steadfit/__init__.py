"""Steadfit: a Kubernetes operator for continuous training."""

__version__ = "0.1.0"
