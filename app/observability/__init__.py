"""Logs and metrics for the operator. All layers above may import this package."""
