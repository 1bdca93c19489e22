"""Alertmanager's webhook: authenticate, match, write."""
