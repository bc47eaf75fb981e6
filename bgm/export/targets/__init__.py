"""Export targets, one file a format."""
