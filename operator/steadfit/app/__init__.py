"""The running operator: kopf adapter, intake, reconcilers, metrics, settings."""
