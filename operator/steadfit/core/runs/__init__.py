"""One TrainingRun: its attempts, timeouts, failures and outcome."""
