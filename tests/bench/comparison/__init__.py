"""What `compare` is made of: the bed it measures on, the scenarios, and the report."""
