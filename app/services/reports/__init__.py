"""Reports for the commands and the health views: registrations, subscriptions, events, the outbox, and gauges."""
