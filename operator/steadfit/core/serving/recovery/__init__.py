"""How a bad version goes back: rollbacks, their limit, and the diagnosis."""
