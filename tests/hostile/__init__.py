"""What comes from those who do not mean well: odd bodies, slow senders, forged cookies and headers."""
