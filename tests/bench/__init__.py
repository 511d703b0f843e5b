"""`make bench`: measures pages, events, start-up and memory, beside a bare view or an earlier commit. Linux only."""
