"""Scores models on holdout rows."""
