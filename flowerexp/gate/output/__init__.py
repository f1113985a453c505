"""What came out of a gate, as text for the screen and as files for a machine or a pull request."""
