"""Every condition type, condition reason and Event reason, with what it means and what to do."""
