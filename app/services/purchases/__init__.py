"""What a buyer bought and asks for: purchase, draft, account request, subscription, AWS's events and entitlements."""
