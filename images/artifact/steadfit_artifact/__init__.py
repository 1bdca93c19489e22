"""The artifact format: manifest, digest, signature, store and loading. Shared by trainer and server."""

import os

# ONNX Runtime from 1.29 on sends usage data to its maker and writes a device id to the home directory, unless this
# is set before it is imported. A pod must not send any, and its root file system is read-only.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
