"""What the seller configures: settings, products, and hand-off endpoints. All layers above may import this package."""
