"""The public Python library: what programs, and the command line, call Longshore with."""
