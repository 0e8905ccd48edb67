"""EventBridge, SNS and S3 deliveries: they need the rights that AWS asks for."""
