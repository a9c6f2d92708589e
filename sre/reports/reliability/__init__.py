"""The pages of `sre whatif`: options against their risk, what one more replica buys, and on what all of it rests."""
