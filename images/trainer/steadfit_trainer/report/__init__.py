"""Tells the operator and Kubernetes how a step ended."""
