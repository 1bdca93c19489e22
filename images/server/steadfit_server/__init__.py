"""The model server: Open Inference Protocol V2 over one verified artifact."""

__version__ = "0.1.0"
