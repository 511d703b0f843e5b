"""The domain: what happens to purchases and registrations, whichever door they come through."""
