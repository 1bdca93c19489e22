"""The model formats: what each one's file is called and how it is loaded."""
