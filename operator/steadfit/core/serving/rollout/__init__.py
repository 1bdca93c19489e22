"""How a candidate takes over: at once or as a canary, and its analysis."""
