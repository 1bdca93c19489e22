"""Pure decisions: what is observed goes in, the desired status and actions come out."""
