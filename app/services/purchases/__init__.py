"""What a buyer bought: a sign-up's purchase, the stored subscription, and AWS's events and entitlements."""
