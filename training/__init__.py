"""From gold to a registered model, with scores that can be believed."""
