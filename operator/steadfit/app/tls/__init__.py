"""The certificate of the operator's endpoints."""
