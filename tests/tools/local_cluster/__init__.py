"""Brings up the local kind cluster that the demo and the cluster tests run on.

Run as ``python -m tests.tools.local_cluster <command>``. Standard library only, so that it works before the
project's virtual environment exists.
"""
