"""The catalogues of the buyers' languages: how they are made, and what they must have."""
