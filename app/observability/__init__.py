"""What the operator sees: the log and the metrics.

Every layer above may import it.
"""
