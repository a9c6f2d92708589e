"""Reliability what-ifs: fault rates as data, a Monte Carlo of a month, spares, spot and zones priced against risk."""
