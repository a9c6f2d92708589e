"""Every fault the library knows. One class each, found through `catalogue.py`."""
