"""Who may ask a part: its small servers, the proxy's sign-in, and limits of tries."""
