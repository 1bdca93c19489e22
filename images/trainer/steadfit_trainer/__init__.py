"""The steps of a run that are ours: fetch before the user's container, publish after it."""
