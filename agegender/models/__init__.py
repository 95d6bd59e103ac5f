"""The models: which files they are, where they come from, and how they are verified."""
