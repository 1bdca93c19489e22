"""The served model: its protocol, its outputs, and its implementation for artifacts."""
