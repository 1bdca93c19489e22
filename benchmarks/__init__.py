"""Measurements of Steadfit's own code beside what it stands on; each prints ratios of one run."""

# First: it keeps ONNX Runtime, which the benchmarks import themselves, from sending usage data.
import steadfit_server as steadfit_server
