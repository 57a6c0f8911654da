"""How a program starts: from the configuration to the objects that it calls."""
