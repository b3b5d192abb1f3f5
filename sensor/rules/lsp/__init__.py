"""Rules in an editor: findings while they are written, completion and explanations from the engine's table.

document  what is at a place of a rule file, and what is wrong with it
words     what may stand there, and what it means
server    the language server (needs the extra `lsp`); it only converts
"""
