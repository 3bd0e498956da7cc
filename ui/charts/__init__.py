"""Charts and drawn tables; they hold on a light and on a dark page."""
