"""kopf as a source of watch events."""
