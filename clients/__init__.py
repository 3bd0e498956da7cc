"""One client for each service that is spoken to over HTTP; `clients.predictions` is the public one."""
