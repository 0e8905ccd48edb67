"""SageMaker's three HTTP APIs: wire format, routing, and the IAM actions that each call needs."""
