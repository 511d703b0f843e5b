"""`make endure`: kills every kind of process under load and counts what was acknowledged and lost. Linux only."""
