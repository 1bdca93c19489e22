"""When a run of a TrainingJob starts: triggers that request one, and limits that delay it."""
