"""From the champion to a prediction."""
