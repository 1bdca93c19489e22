"""What asks for a run: changed inputs, schedules, alerts, monitors and actions."""
