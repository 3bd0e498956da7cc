"""Who may ask for a prediction: keys with scopes."""
