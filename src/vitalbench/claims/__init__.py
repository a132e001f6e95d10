"""The claims ledger: reported numbers, re-derived."""
