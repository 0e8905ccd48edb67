"""REST APIs: gateway responses, the caller's API key, and an id that survives updates."""
