"""The documents of a package: each is a list of blocks, rendered as Markdown and as one printable HTML file."""
