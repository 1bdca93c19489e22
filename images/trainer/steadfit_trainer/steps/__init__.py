"""The steps of a run: fetch, publish, evaluate, quarantine."""
