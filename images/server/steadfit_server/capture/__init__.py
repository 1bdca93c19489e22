"""Keeps requests, answers and outcomes in the object store."""
