"""The Job that an attempt runs as, and its pod."""
