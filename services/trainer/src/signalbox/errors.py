"""Errors that several modules raise."""

from __future__ import annotations


class DatasetError(Exception):
    """The data cannot be used: it does not hash to its digest, lacks a column, or does not join."""
