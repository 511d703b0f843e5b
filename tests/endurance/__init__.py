"""`make endure`: every process is killed under load, and what was acknowledged is counted. Linux only."""
