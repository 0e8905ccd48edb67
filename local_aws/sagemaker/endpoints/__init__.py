"""Models, endpoints (one and many models) and InvokeEndpoint: serving containers as processes."""
