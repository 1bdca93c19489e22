"""Conditions and Events of a ModelDeployment."""
