"""Tar shards: pictures for network disks."""
