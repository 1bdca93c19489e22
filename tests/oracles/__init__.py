"""What the tools around Steadfit make of its objects, and what its statuses must therefore never say."""
