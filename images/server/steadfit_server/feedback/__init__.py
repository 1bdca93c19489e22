"""Feedback: outcomes of earlier predictions."""
