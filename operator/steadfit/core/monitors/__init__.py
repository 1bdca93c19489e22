"""What a monitor says of the version that serves."""
