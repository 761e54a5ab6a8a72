"""Stands where the package of real jobs would, and does what the test says."""
