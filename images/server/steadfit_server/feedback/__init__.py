"""Takes outcomes of earlier predictions."""
