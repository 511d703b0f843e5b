"""foyer customer."""
