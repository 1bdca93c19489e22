"""The steps of a run beside the user's container: fetch, publish, evaluate, quarantine."""
