"""Starting a program: from the command line to the objects that it calls."""
