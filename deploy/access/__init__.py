"""Access control: the small servers, the proxy's sign-in, and rate limits of failed sign-ins."""
