"""Tallies: while a candidate takes traffic, the operator reads the counts of its servers and the champion's itself."""
