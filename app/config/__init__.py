"""What the seller sets: settings in the environment, their products, and where each product receives hand-offs.

Every layer above may import it; it imports `app.errors` alone.
"""
