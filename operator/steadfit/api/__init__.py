"""The kinds of steadfit.dev/v1alpha1 as pydantic models, and the generator of their CRDs."""
