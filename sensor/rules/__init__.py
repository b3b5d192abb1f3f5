"""The rule toolchain: text, variables, sources. What a keyword means is the engine's business alone."""
