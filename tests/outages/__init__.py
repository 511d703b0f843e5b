"""`make outages`: buyers come steadily while AWS or the database hangs, and while crowds come. Linux only."""
