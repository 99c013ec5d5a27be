"""The protocol as a whole: both programs' own code on the fake API server, every call steered."""
