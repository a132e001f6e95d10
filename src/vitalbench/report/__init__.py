"""Tables, figures and the page a person opens."""
