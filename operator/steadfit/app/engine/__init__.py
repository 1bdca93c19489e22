"""Observe, plan, write status, act: the operator without its surroundings."""
