"""The causes of a run: changed inputs, schedules, alerts, monitors and actions."""
