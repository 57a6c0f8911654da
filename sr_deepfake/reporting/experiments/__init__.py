"""Tables and figures of the experiments that the paper left open."""
