"""What a person uses: the command line, and what it shows on a terminal."""
