"""What was done, read back."""
