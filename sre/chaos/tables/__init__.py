"""Tables of the documentation, made from faults and experiments so that they stay true: `make docs` writes them."""
