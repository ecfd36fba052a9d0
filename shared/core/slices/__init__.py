"""What one answer does to a slice."""
