"""The commands, one module each, with a `main(arguments) -> exit code`; each is imported when it is called."""
