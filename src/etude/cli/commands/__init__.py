"""The commands, each in the module of its name, which is imported when the command is asked for."""
