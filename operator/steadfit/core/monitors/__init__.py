"""Monitors: kinds, evaluation, and the conditions that follow."""
