"""Imports of usage from files: CSV, JSON Lines or a list of JSON."""
