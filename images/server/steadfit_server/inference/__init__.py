"""Loads the model and answers inference requests."""
