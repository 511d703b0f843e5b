"""An example SaaS product: the code that a seller writes to receive hand-offs and sign buyers in, to copy from."""
