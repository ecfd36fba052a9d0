"""What the API said: answers, pages, records, and the bytes of a part."""
