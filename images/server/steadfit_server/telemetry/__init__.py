"""Counters of requests, inputs and answers for Prometheus."""
