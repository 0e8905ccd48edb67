"""AWS on a laptop: MiniStack, a SageMaker that runs jobs and endpoints as processes, and a mailbox. See README.md."""
