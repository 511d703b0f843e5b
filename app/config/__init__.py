"""What the seller configures: settings, products, and each product's endpoint for hand-offs.

Every layer above may import it; it imports only `app.errors`.
"""
