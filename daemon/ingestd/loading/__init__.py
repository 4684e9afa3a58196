"""From the name or path of a plugin to a plugin that can be called."""
