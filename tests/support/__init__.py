"""Helpers that tests of more than one package share."""
