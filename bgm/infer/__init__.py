"""Inference: frames in (pictures, video), plates fitted to them, mattes out."""
