"""Loaders: order, resuming, broken files, augmentation in workers."""
