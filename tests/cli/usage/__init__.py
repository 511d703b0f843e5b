"""Tests of the commands about usage."""
