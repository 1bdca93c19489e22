"""What each ModelAction does to a ModelDeployment."""
