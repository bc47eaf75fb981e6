"""Checkpoints: written whole or not at all, found again; and runs that are asked to stop."""
