"""`make production`: deploy/production.yaml's tasks as processes, with buyers, kills, an update and a roll-back."""
