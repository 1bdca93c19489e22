"""Recovery from a bad version: rollbacks, their limit, and the diagnosis of a fall in quality."""
