"""The server process: starting and stopping it, its state on disk, the one HTTP application, mailbox and pages."""
