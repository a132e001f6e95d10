"""Patient-level splits, and the audit that training cannot start without."""
