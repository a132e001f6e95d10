"""What an encoder can be asked of records without labels: a model around it whose loss is its own."""
