"""Usage for the operator: reports of hours and items, what is wrong, and what a person decides about it."""
