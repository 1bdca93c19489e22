"""The effect of each ModelAction on a ModelDeployment."""
