"""The command line: ``tenx COMMAND``. Each command parses its words, calls ``operations`` or ``demo``, and answers.

Modules that are slow to import are imported inside the commands, so that help and completion answer at once.
"""
