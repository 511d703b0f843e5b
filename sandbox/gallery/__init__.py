"""The gallery: every page and mail for buyers in every state, for the seller's own products, without buying."""
