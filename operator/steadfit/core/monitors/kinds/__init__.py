"""The kinds of monitors, a module each; every module implements `Kind`."""
