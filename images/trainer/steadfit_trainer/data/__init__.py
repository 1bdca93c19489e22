"""Reads and checks the data of a run."""
