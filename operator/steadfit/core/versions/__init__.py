"""What a ModelVersion is worth: the gate, the comparison with the champion, the quarantine."""
