"""When a run of a TrainingJob starts: triggers that ask for one, limits that hold it back."""
