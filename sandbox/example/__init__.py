"""A pretend SaaS product: what a seller writes to receive hand-offs and let buyers in, small enough to copy."""
