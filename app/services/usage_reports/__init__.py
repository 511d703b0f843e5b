"""Usage for the operator: files that are imported, reports of hours and items, and what a person decides about them."""
