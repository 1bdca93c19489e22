"""What a ModelDeployment serves, and how traffic gets there."""
