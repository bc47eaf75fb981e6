"""Fitting a plate to its shot: alignment and exposure."""
