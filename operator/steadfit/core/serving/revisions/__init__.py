"""Revisions: their hash, pod template and Deployment, and the recovery of lost ones."""
