"""Keeps the catalogue of reasons, the code and the page about it together."""
