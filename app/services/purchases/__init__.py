"""What a buyer bought: a sign-up's purchase, the stored subscription, and the status that AWS's events give it."""
