"""The alert bus: what a sensor says to a centre, and how it survives until the centre has it.

lanes    > seal            > spool        > session      > link
priority   sign, encrypt     SQLite         messages       DEALER + CURVE

Specified in docs/spec/bus.md and docs/spec/spool.md. Nothing here looks inside an event, except `lanes`,
which searches raw lines for their event type.
"""
