"""Capture of requests, answers and outcomes in the object store."""
