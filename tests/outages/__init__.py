"""`make outages`: buyers come steadily while AWS, the database or a crowd does its worst. Linux only."""
