"""What MetricSources say: asking them, reading their answers strictly, and keeping what they said last."""
