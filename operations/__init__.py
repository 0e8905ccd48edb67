"""Everything an operator does with a deployed stack, on the laptop's AWS and in an AWS account alike.

The command line, ``tenx``, calls these modules. ``stack.py`` finds a stack; the laptop's AWS, uploads, releases,
e-mails and the API have a module each.
"""
