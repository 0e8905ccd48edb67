"""E-mail subscriptions: confirmed by a button, delivered to the mailbox."""
