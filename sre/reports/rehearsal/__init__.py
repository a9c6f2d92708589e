"""A rehearsal as pages and tables: what a drill would show, and how far that was right."""
