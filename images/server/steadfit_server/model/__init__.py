"""The model as the server sees it: a protocol, its outputs, and the one of an artifact."""
