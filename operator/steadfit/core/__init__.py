"""Pure decisions: what is observed goes in, the wished status and actions come out."""
