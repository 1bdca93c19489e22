"""Health and the operator's own metrics."""
