"""The laptop's AWS: MiniStack, a SageMaker that really runs things, and a mailbox. See README.md."""
