"""What keeps people out of sight: what may be carried, pseudonyms, encryption at rest, the log of accesses."""
