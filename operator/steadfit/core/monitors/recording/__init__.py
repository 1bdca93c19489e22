"""Recording rules that more than one kind of monitor reads, or that are too long for the kind's module."""
