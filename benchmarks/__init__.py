"""Benchmarks of Steadfit's own code against its foundations; each prints ratios of one run."""

# Imported first, because it stops ONNX Runtime from sending usage data.
import steadfit_server as steadfit_server
